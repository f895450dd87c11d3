"""A kernel's messages become a cell's outputs."""

from typing import Any

import nbformat
import pytest

from rtu_magics.document import Appended, Cleared, Continued, OutputReducer, Updated
from rtu_magics.models import (
    DisplayDataOutput,
    ErrorOutput,
    ExecuteResultOutput,
    StreamOutput,
)


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"msg_type": "stream", "content": {"name": name, "text": text}}


def display(text: str, display_id: str | None = None, kind: str = "display_data") -> dict[str, Any]:
    transient = {} if display_id is None else {"display_id": display_id}
    content = {"data": {"text/plain": text}, "metadata": {}, "transient": transient}
    return {"msg_type": kind, "content": content}


def result(text: str, count: int, display_id: str | None = None) -> dict[str, Any]:
    message = display(text, display_id, "execute_result")
    message["content"]["execution_count"] = count
    return message


def update(text: str, display_id: str) -> dict[str, Any]:
    return display(text, display_id, "update_display_data")


def clear(wait: bool = False) -> dict[str, Any]:
    return {"msg_type": "clear_output", "content": {"wait": wait}}


def run(*messages: dict[str, Any]) -> tuple[OutputReducer, list[Any]]:
    reducer = OutputReducer()
    return reducer, [change for message in messages for change in reducer.process(message)]


def shown(reducer: OutputReducer) -> list[str]:
    return [output.text or output.data.get("text/plain", "") for output in reducer.outputs]


def kinds(changes: list[Any]) -> list[type]:
    return [type(change) for change in changes]


# Streams


def test_chunks_of_one_stream_are_one_output() -> None:
    reducer, changes = run(stream("hello "), stream("world\n"))
    assert reducer.to_nbformat() == [StreamOutput(name="stdout", text="hello world\n")]
    assert kinds(changes) == [Appended, Continued]
    assert changes[1] == Continued(index=0, text="world\n")


def test_streams_that_take_turns_are_outputs_of_their_own() -> None:
    reducer, changes = run(stream("a"), stream("b", "stderr"), stream("c"))
    assert [(o.name, o.text) for o in reducer.outputs] == [
        ("stdout", "a"),
        ("stderr", "b"),
        ("stdout", "c"),
    ]
    assert [change.index for change in changes] == [0, 1, 2]


def test_a_display_in_between_ends_a_stream() -> None:
    reducer, _ = run(stream("a"), display("d"), stream("b"))
    assert shown(reducer) == ["a", "d", "b"]


def test_an_empty_chunk_is_nothing() -> None:
    reducer, changes = run(stream(""), clear(wait=True), stream(""))
    assert changes == []
    assert reducer.outputs == []


def test_a_hundred_thousand_chunks_are_kept_as_pieces_until_somebody_reads() -> None:
    reducer = OutputReducer()
    for _ in range(100_000):
        reducer.process(stream("x"))
    assert len(reducer.outputs[0]._chunks) == 100_000
    assert reducer.outputs[0].text == "x" * 100_000
    assert len(reducer.outputs[0]._chunks) == 1
    reducer.process(stream("y"))
    assert reducer.outputs[0].text.endswith("xy")


# Displays


def test_a_result_carries_its_count() -> None:
    reducer, _ = run({"msg_type": "execute_input", "content": {"execution_count": 7}})
    assert reducer.execution_count == 7
    reducer, _ = run(result("4", 8))
    assert reducer.execution_count == 8
    assert reducer.to_nbformat() == [
        ExecuteResultOutput(execution_count=8, data={"text/plain": "4"})
    ]


def test_an_update_reaches_every_output_of_its_display_id() -> None:
    reducer, changes = run(
        display("old", "p"), stream("between"), display("other", "q"), result("old", 1, "p")
    )
    assert shown(reducer) == ["old", "between", "other", "old"]
    # The last of them showed an id again: what it updates is reported before it stands there.
    assert kinds(changes) == [Appended, Appended, Appended, Updated, Appended]
    [change] = reducer.process(update("new", "p"))
    assert change == Updated((0, 3), "p", {"text/plain": "new"}, {})
    assert shown(reducer) == ["new", "between", "other", "new"]


def test_showing_an_id_again_updates_what_it_showed_before() -> None:
    reducer, changes = run(display("old", "p"), display("new", "p"))
    assert changes[1] == Updated((0,), "p", {"text/plain": "new"}, {})
    assert shown(reducer) == ["new", "new"]


def test_an_update_for_an_id_that_this_run_never_showed_is_passed_on() -> None:
    reducer, changes = run(update("new", "elsewhere"))
    assert changes == [Updated((), "elsewhere", {"text/plain": "new"}, {})]
    assert reducer.outputs == []


def test_an_update_from_another_run() -> None:
    reducer, _ = run(display("old", "p"))
    found = reducer.update_display("p", {"data": {"text/html": "<b>new</b>"}})
    assert found.indexes == (0,)
    assert reducer.outputs[0].data == {"text/html": "<b>new</b>"}


def test_an_update_without_an_id_is_nothing() -> None:
    message = update("new", "p")
    message["content"]["transient"] = {}
    assert run(display("old", "p"), message)[1][1:] == []


def test_outputs_do_not_share_their_bundles_with_the_messages() -> None:
    message = display("old", "p")
    reducer, _ = run(message, display("other", "p"))
    message["content"]["data"]["text/plain"] = "vandal"
    reducer.outputs[0].data["text/plain"] = "mine"
    assert shown(reducer) == ["mine", "other"]


def test_transient_data_never_reach_the_file() -> None:
    reducer, _ = run(display("x", "p"))
    assert reducer.outputs[0].transient == {"display_id": "p"}
    assert reducer.to_nbformat() == [DisplayDataOutput(data={"text/plain": "x"})]


def test_a_bundle_that_nbformat_would_refuse_is_made_valid() -> None:
    odd = {"text/plain": 4, "application/json": {"a": 1}, "application/x.y+json": [1]}
    message = {"msg_type": "display_data", "content": {"data": odd}}
    [output] = run(message)[0].to_nbformat()
    nbformat.v4.nbbase.validate(nbformat.from_dict(output.model_dump()), "display_data")
    assert isinstance(output, DisplayDataOutput)
    assert output.data == odd | {"text/plain": "4"}


# Errors


def test_an_error_keeps_its_traceback() -> None:
    content = {"ename": "ValueError", "evalue": "no", "traceback": ["\x1b[31mValueError", "no"]}
    reducer, changes = run(stream("a"), {"msg_type": "error", "content": content})
    assert reducer.to_nbformat()[1] == ErrorOutput(**content)
    assert changes[1].index == 1


# Clearing


def test_clearing_empties_at_once() -> None:
    reducer, changes = run(stream("a"), clear(), stream("b"))
    assert shown(reducer) == ["b"]
    assert kinds(changes) == [Appended, Cleared, Appended]
    assert changes[1] == Cleared(())
    assert changes[2].index == 0


def test_clearing_nothing_changes_nothing() -> None:
    assert run(clear(), clear(wait=True), stream("a"))[1][0].index == 0


@pytest.mark.parametrize(
    "following",
    [
        stream("b"),
        display("b"),
        result("b", 1),
        {"msg_type": "error", "content": {"ename": "E", "evalue": "b", "traceback": []}},
    ],
)
def test_clearing_with_wait_waits_for_the_next_output(following: dict[str, Any]) -> None:
    reducer, changes = run(stream("a"), clear(wait=True))
    assert shown(reducer) == ["a"]
    changes = reducer.process(following)
    assert kinds(changes) == [Cleared, Appended]
    assert len(reducer.outputs) == 1
    # The same stream did not just go on.
    assert reducer.outputs[0].text in ("b", "")


def test_a_clear_that_still_waits_at_the_end_never_happens() -> None:
    reducer, changes = run(stream("a"), clear(wait=True))
    assert kinds(changes) == [Appended]
    assert reducer.to_nbformat() == [StreamOutput(name="stdout", text="a")]


def test_an_update_does_not_end_the_wait() -> None:
    reducer, _ = run(display("old", "p"), clear(wait=True))
    assert kinds(reducer.process(update("new", "p"))) == [Updated]
    assert shown(reducer) == ["new"]
    assert kinds(reducer.process(stream("next"))) == [Cleared, Appended]


def test_an_immediate_clear_takes_the_waiting_one_with_it() -> None:
    reducer, changes = run(stream("a"), clear(wait=True), clear(), stream("b"), stream("c"))
    assert kinds(changes) == [Appended, Cleared, Appended, Continued]
    assert shown(reducer) == ["bc"]


def test_display_ids_are_forgotten_with_what_was_cleared() -> None:
    reducer, _ = run(display("old", "p"), clear(), display("else"))
    [change] = reducer.process(update("new", "p"))
    assert change.indexes == ()
    assert shown(reducer) == ["else"]


def test_progress_in_a_loop_shows_only_its_last_step() -> None:
    messages = [m for i in range(5) for m in (clear(wait=True), display(f"step {i}"))]
    reducer, changes = run(*messages)
    assert shown(reducer) == ["step 4"]
    assert kinds(changes).count(Cleared) == 4


# What is no output


@pytest.mark.parametrize(
    "message",
    [
        {"msg_type": "status", "content": {"execution_state": "busy"}},
        {"msg_type": "comm_open", "content": {}},
        {"msg_type": "made_up", "content": {}},
        {"content": {}},
        {},
    ],
)
def test_other_messages_change_nothing(message: dict[str, Any]) -> None:
    reducer, changes = run(stream("a"), clear(wait=True), message)
    assert kinds(changes) == [Appended]
    assert shown(reducer) == ["a"]


def test_the_type_is_found_in_the_header_too() -> None:
    message = {"header": {"msg_type": "stream"}, "content": {"name": "stdout", "text": "a"}}
    assert shown(run(message)[0]) == ["a"]
