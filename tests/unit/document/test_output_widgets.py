"""Output widgets take what their kernel puts out while they listen, and nothing else."""

from __future__ import annotations

from typing import Any

from rtu_magics.document import OutputReducer, OutputWidgets

VIEW = "application/vnd.jupyter.widget-view+json"
Message = dict[str, Any]


class Kernel:
    """The messages of a kernel, and what of them is left for the cell that names itself ``r``."""

    def __init__(self) -> None:
        self.widgets = OutputWidgets()
        self.cells: dict[str, OutputReducer] = {}

    def say(self, kind: str, content: Message, request: str = "r") -> None:
        message = {"msg_type": kind, "parent_header": {"msg_id": request}, "content": content}
        rest = self.widgets.route(message)
        if rest is not None:
            self.cells.setdefault(request, OutputReducer()).process(rest)

    def open(self, comm_id: str, target: str = "jupyter.widget", **state: Any) -> None:
        content = {"comm_id": comm_id, "target_name": target, "data": {"state": state}}
        self.say("comm_open", content)

    def output(self, comm_id: str, model: str = "OutputModel") -> None:
        self.open(comm_id, _model_name=model, msg_id="", outputs=[])

    def set(self, comm_id: str, request: str = "r", method: str = "update", **state: Any) -> None:
        self.say("comm_msg", {"comm_id": comm_id, "data": {"method": method, "state": state}})

    def listen(self, comm_id: str, request: str = "r") -> None:
        self.set(comm_id, msg_id=request)

    def print(self, text: str, request: str = "r") -> None:
        self.say("stream", {"name": "stdout", "text": text}, request)

    def display(self, text: str, display_id: str | None = None, **data: Any) -> None:
        transient = {} if display_id is None else {"display_id": display_id}
        content = {"data": {"text/plain": text, **data}, "metadata": {}, "transient": transient}
        self.say("display_data", content)

    def view(self, model_id: str, display_id: str | None = None) -> None:
        self.display(f"<{model_id}>", display_id, **{VIEW: {"model_id": model_id}})

    def seen(self, request: str = "r") -> list[str]:
        """What stands below the cell, as text."""
        cells = self.cells
        for owner, message in self.widgets.updates():
            cells[owner].process(message)
        found = []
        for output in cells.get(request, OutputReducer()).outputs:
            found.append(output.data.get("text/plain", "") or output.text or output.ename)
        return found


def test_between_the_two_messages_everything_is_the_widgets() -> None:
    kernel = Kernel()
    kernel.print("before")
    kernel.output("w")
    kernel.view("w")
    kernel.listen("w")
    kernel.print("captured\n")
    kernel.display("shown")
    kernel.say("error", {"ename": "E", "evalue": "v", "traceback": ["E: v"]})
    kernel.set("w", msg_id="")
    kernel.print("after")
    assert kernel.seen() == ["before", "captured\nshown\nE: v", "after"]


def test_a_clear_in_the_widget_leaves_the_cell_alone_and_waits_for_the_next_capture() -> None:
    kernel = Kernel()
    kernel.print("important")
    kernel.output("w")
    kernel.view("w")
    for text in ("one", "two"):
        kernel.listen("w")
        kernel.say("clear_output", {"wait": True})
        kernel.print(text)
        kernel.set("w", msg_id="")
    assert kernel.seen() == ["important", "two"]
    kernel.listen("w")
    kernel.say("clear_output", {"wait": True})
    kernel.set("w", msg_id="")
    kernel.print("not the widget's")
    assert kernel.seen() == ["important", "two", "not the widget's"]
    kernel.listen("w")
    kernel.print("three")
    assert kernel.seen() == ["important", "three", "not the widget's"]


def test_nested_ones_form_a_stack_for_each_request() -> None:
    kernel = Kernel()
    for name in ("a", "b"):
        kernel.output(name)
        kernel.view(name)
    kernel.listen("a")
    kernel.print("1")
    kernel.listen("b")
    kernel.print("2")
    kernel.print("another cell's", "other")
    kernel.set("a", msg_id="")  # out of turn
    kernel.print("3")
    kernel.set("b", msg_id="")
    kernel.print("mine")
    assert kernel.seen() == ["1", "23", "mine"]
    assert kernel.seen("other") == ["another cell's"]


def test_callbacks_of_a_front_end_and_what_comes_late() -> None:
    kernel = Kernel()
    kernel.output("w")
    kernel.view("w")
    kernel.listen("w", "a click")
    kernel.print("clicked", "a click")
    kernel.set("w", msg_id="")
    kernel.print("to nobody", "a click")
    assert kernel.seen() == ["clicked"]


def test_a_container_shows_what_is_captured_inside_it() -> None:
    kernel = Kernel()
    kernel.output("w", "SidecarModel")
    kernel.open("inner", _model_name="VBoxModel", children=[])
    kernel.open("box", _model_name="VBoxModel", children=["IPY_MODEL_inner", "IPY_MODEL_box"])
    kernel.set("inner", children=["IPY_MODEL_w"], layout="IPY_MODEL_l")
    kernel.view("box")
    kernel.listen("w")
    kernel.display("a picture", **{"image/png": "iVBO"})
    assert kernel.seen() == ["<box>\na picture"]
    shown = kernel.cells["r"].outputs[0].data
    assert shown["image/png"] == "iVBO"
    assert shown[VIEW] == {"model_id": "box"}


def test_a_display_is_updated_in_the_cell_and_in_the_widget() -> None:
    kernel = Kernel()
    kernel.output("w")
    kernel.view("w")
    kernel.display("old", "d")
    kernel.listen("w")
    kernel.display("new", "d")
    assert kernel.seen() == ["new", "new"]
    kernel.set("w", msg_id="")
    content = {"data": {"text/plain": "newest"}, "metadata": {}, "transient": {"display_id": "d"}}
    kernel.say("update_display_data", content)
    assert kernel.seen() == ["newest", "newest"]


def test_what_the_kernel_sets_itself() -> None:
    kernel = Kernel()
    kernel.output("w")
    kernel.view("w", "mine")
    kernel.set("w", outputs=[{"output_type": "stream", "name": "stdout", "text": "set"}, 7])
    assert kernel.seen() == ["set"]
    kernel.set("w", method="echo_update", outputs=[])
    assert kernel.seen() == ["set"]
    kernel.set("w", outputs=[])
    assert kernel.seen() == ["<w>"]
    assert kernel.cells["r"].outputs[0].display_id == "mine"


def test_a_widget_that_ends_while_it_listens_or_was_opened_unheard() -> None:
    kernel = Kernel()
    kernel.output("w")
    kernel.listen("w")
    kernel.say("comm_close", {"comm_id": "w"})
    kernel.print("the cell's")
    kernel.set("unknown", msg_id="r")
    kernel.print("captured")
    kernel.set("unknown", msg_id="")
    kernel.print(", too")
    assert kernel.seen() == ["the cell's, too"]


def test_other_widgets_and_other_comms_are_left_as_they_are() -> None:
    kernel = Kernel()
    kernel.open("slider", _model_name="IntSliderModel", value=3, layout="IPY_MODEL_l")
    kernel.open("odd", _model_name="Mine", msg_id="")
    kernel.open("other", "my.target", msg_id="r", outputs=[])
    kernel.set("odd", msg_id="r")
    kernel.view("slider")
    kernel.print("text")
    assert kernel.seen() == ["<slider>", "text"]
    assert kernel.cells["r"].outputs[0].display_id is None


def test_much_output_is_bounded() -> None:
    kernel = Kernel()
    kernel.output("w")
    kernel.view("w")
    kernel.listen("w")
    for n in range(400):
        kernel.print(f"{n:>999}\n")
    text = kernel.seen()[0]
    assert len(text) <= 100_000
    assert text.endswith("399")
    kernel.say("clear_output", {"wait": False})
    for n in range(1000):
        kernel.display(str(n))
    assert kernel.seen()[0].endswith("\n199")
    kernel.say("clear_output", {"wait": True})
    kernel.display("fresh")
    assert kernel.seen() == ["fresh"]
    for n in range(6000):
        kernel.output(f"w{n}")
    assert len(kernel.widgets._widgets) <= 5000
