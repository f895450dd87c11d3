"""Every message becomes its own class, in both directions; the rest degrades as it should."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

import rtu_magics.models as models
from rtu_magics.errors import InvalidMessage
from rtu_magics.models import (
    REQUEST_CLASSES,
    RESPONSE_CLASSES,
    BaseRTURequest,
    BaseRTUResponse,
    FileDeltaAdapter,
    NewDeltaEvent,
    PingResponse,
    RTURequest,
    RTUResponse,
    WhoAmIResponse,
    parse_request,
    parse_response,
)

from .messages import DELTAS, FILES, ID, KERNELS, REQUESTS, RESPONSES, request, response, spellings


def test_there_is_an_example_of_every_message() -> None:
    assert set(REQUESTS) == {cls.__name__ for cls in REQUEST_CLASSES.values()}
    assert set(RESPONSES) == {cls.__name__ for cls in RESPONSE_CLASSES.values()}
    assert len(DELTAS) == 13


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_its_own_class_however_it_is_written(name: str) -> None:
    content = request(*REQUESTS[name])
    for raw in spellings(content):
        parsed = parse_request(raw)
        assert type(parsed) is getattr(models, name)
        assert parsed == parse_request(json.dumps(content))
        assert parsed.channel == content["channel"]


@pytest.mark.parametrize("name", RESPONSES)
def test_a_response_is_its_own_class_however_it_is_written(name: str) -> None:
    content = response(*RESPONSES[name])
    for raw in spellings(content):
        parsed = parse_response(raw)
        assert type(parsed) is getattr(models, name)
        assert parsed == parse_response(json.dumps(content))


@pytest.mark.parametrize("name", RESPONSES)
def test_what_we_write_we_read_back(name: str) -> None:
    parsed = parse_response(json.dumps(response(*RESPONSES[name])))
    again = parse_response(parsed.model_dump_json())
    assert again == parsed
    assert again.model_dump_json() == parsed.model_dump_json()


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_that_we_write_we_read_back(name: str) -> None:
    parsed = parse_request(json.dumps(request(*REQUESTS[name])))
    assert parse_request(parsed.model_dump_json()) == parsed


@pytest.mark.parametrize("name", DELTAS)
def test_a_delta_is_its_own_class_inside_a_message_and_alone(name: str) -> None:
    cls = getattr(models, name)
    event = parse_response(json.dumps(response(FILES, "new_delta_event", DELTAS[name])))
    assert type(event) is NewDeltaEvent
    assert type(event.data) is cls
    assert type(FileDeltaAdapter.validate_python(DELTAS[name])) is cls
    # What travels is what came: parsing adds no key and drops none.
    travelled = json.loads(event.data.model_dump_json())
    if name != "NBCellsAdd":  # there the cell's defaults are filled in
        assert travelled == DELTAS[name]


def test_the_unions_work_with_a_type_adapter() -> None:
    requests: TypeAdapter[Any] = TypeAdapter(RTURequest)
    responses: TypeAdapter[Any] = TypeAdapter(RTUResponse)
    for name, parts in REQUESTS.items():
        assert type(requests.validate_python(request(*parts))) is getattr(models, name)
    for name, parts in RESPONSES.items():
        assert type(responses.validate_json(json.dumps(response(*parts)))) is getattr(models, name)
    assert type(requests.validate_python(request(FILES, "made_up", None))) is BaseRTURequest
    assert type(responses.validate_python(response(FILES, "made_up", None))) is BaseRTUResponse


def test_older_servers_say_reply_where_others_say_response() -> None:
    assert type(parse_response(json.dumps(response("system", "ping_reply", {})))) is PingResponse
    whoami = json.dumps(response("system", "whoami_reply", {"user": None}))
    assert type(parse_response(whoami)) is WhoAmIResponse


@pytest.mark.parametrize("event", ["invalid_event", "permission_denied", "delta_rejected"])
@pytest.mark.parametrize("channel", ["system", FILES, KERNELS])
def test_an_error_may_come_on_any_channel(channel: str, event: str) -> None:
    data = {"cause": "why"} if event == "delta_rejected" else {"message": "why"}
    parsed = parse_response(json.dumps(response(channel, event, data)))
    assert type(parsed) is RESPONSE_CLASSES["system", event]


# Degrading


def test_an_unknown_event_becomes_the_base_response() -> None:
    parsed = parse_response(json.dumps(response(FILES, "made_up_event", {"a": 1})))
    assert type(parsed) is BaseRTUResponse
    assert (parsed.event, parsed.data) == ("made_up_event", {"a": 1})


def test_a_known_event_on_a_foreign_channel_becomes_the_base_response() -> None:
    for channel in (KERNELS, "filesystem/x", "files_x", "elsewhere"):
        raw = json.dumps(response(channel, "new_delta_reply", {"success": True}))
        assert type(parse_response(raw)) is BaseRTUResponse


def test_a_known_event_with_foreign_data_becomes_the_base_response() -> None:
    data = {"cpu_usage_percent": 1.5, "memory_usage_percent": 40}
    parsed = parse_response(json.dumps(response(FILES, "usage_metrics_event", data)))
    assert type(parsed) is BaseRTUResponse
    assert parsed.data == data


def test_an_event_named_inside_the_data_is_not_the_messages() -> None:
    inner = response(FILES, "new_delta_reply", {"success": True})
    content = {"transaction_id": ID, "data": inner, "channel": FILES, "event": "made_up"}
    parsed = parse_response(json.dumps(content))
    assert (type(parsed), parsed.event) == (BaseRTUResponse, "made_up")


def test_a_server_that_stamps_nothing_is_understood() -> None:
    parsed = parse_response(json.dumps(request(FILES, "new_delta_reply", {"success": True})))
    assert parsed.processed_timestamp is not None


@pytest.mark.parametrize(
    "raw", ["", "nonsense", "[]", "3", b"\xff", '{"a": 1}', '{"channel": 3, "event": "x"}']
)
def test_what_is_no_response_is_said_to_be_none(raw: str | bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        parse_response(raw)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("raw", ["", "nonsense", "[]", b"\xff\xfe"])
def test_a_request_that_is_no_message_is_an_invalid_event(raw: str | bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        parse_request(raw)
    assert caught.value.event == "invalid_event"
    assert caught.value.transaction_id is None
    assert caught.value.channel == "system"


def test_an_unknown_request_is_an_invalid_event_on_its_own_channel() -> None:
    with pytest.raises(InvalidMessage, match="no event 'made_up' on channel 'files'") as caught:
        parse_request(json.dumps(request(FILES, "made_up", None)))
    assert caught.value.event == "invalid_event"
    assert (caught.value.transaction_id, caught.value.channel) == (ID, FILES)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("AuthenticateRequest", None, "data: "),
        ("FileSubscribeRequest", {}, "exactly one of from_version_id and from_delta_id"),
        ("FileSubscribeRequest", {"from_version_id": ID, "from_delta_id": ID}, "exactly one"),
        ("NewDeltaRequest", {"delta": {"delta_type": "made_up"}}, "data.delta: "),
        ("NewDeltaRequest", {"delta": DELTAS["NBCellsAdd"] | {"properties": {}}}, "properties.id"),
    ],
)
def test_data_that_do_not_fit_their_event_are_invalid_data(name: str, data: Any, why: str) -> None:
    channel, event, _ = REQUESTS[name]
    with pytest.raises(InvalidMessage, match=why) as caught:
        parse_request(json.dumps(request(channel, event, data)))
    assert caught.value.event == "invalid_data"
    assert (caught.value.transaction_id, caught.value.channel) == (ID, channel)
    assert "\n" not in str(caught.value)


def test_a_refused_token_is_not_repeated() -> None:
    raw = json.dumps(request("system", "authenticate_request", {"token": ["secret"]}))
    with pytest.raises(InvalidMessage) as caught:
        parse_request(raw)
    assert "secret" not in str(caught.value)
    parsed = parse_request(json.dumps(request(*REQUESTS["AuthenticateRequest"])))
    assert "secret" not in repr(parsed)


@given(st.one_of(st.text(), st.binary()))
def test_no_noise_raises_anything_else(raw: str | bytes) -> None:
    for parse in (parse_request, parse_response):
        with pytest.raises(InvalidMessage):
            parse(raw)


@given(
    st.sampled_from([*RESPONSES.values(), *REQUESTS.values()]),
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=3)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(st.sampled_from(["event", "channel", "delta", "id"]), inner),
        ),
        max_leaves=5,
    ),
)
def test_any_data_under_any_event_give_a_response(parts: Any, data: Any) -> None:
    channel, event, _ = parts
    parsed = parse_response(json.dumps(response(channel, event, data)))
    assert isinstance(parsed, BaseRTUResponse)
    assert (parsed.channel, parsed.event) == (channel, event)


def test_what_only_looks_like_the_head_is_not_taken_for_it() -> None:
    head = json.dumps(response(FILES, "new_delta_reply", {"success": True}), separators=(",", ":"))
    assert type(parse_response(head)) is not BaseRTUResponse  # its head is known from now on
    begun = '{"transaction_id":"","data":{"x":"'
    inner = begun + "_" * (55 - len(begun)) + head[55:] + "}"
    other = json.dumps(response("system", "ping_response", {}), separators=(",", ":"))
    assert json.loads(inner)["data"]["event"] == "new_delta_reply"
    assert type(parse_response(inner[:-2] + "}," + other[1:])) is PingResponse
    with pytest.raises(InvalidMessage):
        parse_response(inner)


def test_heads_that_nobody_uses_again_do_not_pile_up() -> None:
    for number in range(1500):
        raw = json.dumps(response(f"files/{number}", "new_delta_reply", {"success": True}))
        for spelling in (raw, raw.replace(" ", "")):
            assert parse_response(spelling).channel == f"files/{number}"
