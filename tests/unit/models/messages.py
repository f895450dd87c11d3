"""One example of every message, as it stands on the wire."""

from __future__ import annotations

import json
from typing import Any

ID = "0b1f3c1e-4d5a-4b7e-9a59-2c9f4c0c9b1d"
FILE_ID = "12345678-9abc-def0-1234-56789abcdef0"
TIME = "2026-11-24T06:36:19.123456Z"

FILES = f"files/{FILE_ID}"
KERNELS = "kernels/notebook-kernel-123456789abcdef01234"

USER = {"id": ID, "created_at": TIME, "updated_at": TIME, "handle": "ada"}
KERNEL = {
    "session_id": ID,
    "kernel": {"name": "python3", "execution_state": "idle", "last_activity": TIME},
}
OUTPUT = {
    "id": ID,
    "created_at": TIME,
    "updated_at": TIME,
    "type": "stream",
    "available_mimetypes": ["application/vnd.rtu.stdout"],
    "content_metadata": {"mimetype": "application/vnd.rtu.stdout"},
    "content": {"mimetype": "application/vnd.rtu.stdout", "raw": "hello\n"},
    "parent_collection_id": ID,
}
COLLECTION = {
    "id": ID,
    "created_at": TIME,
    "updated_at": TIME,
    "file_id": FILE_ID,
    "cell_id": "a",
    "outputs": [OUTPUT],
}


def _delta(delta_type: str, action: str, properties: Any, resource_id: str = "a") -> dict[str, Any]:
    return {
        "id": ID,
        "file_id": FILE_ID,
        "delta_type": delta_type,
        "delta_action": action,
        "resource_id": resource_id,
        "parent_delta_id": None,
        "properties": properties,
        "created_at": None,
        "created_by_id": None,
    }


CELL = {"cell_type": "code", "id": "a", "source": "1 + 1"}
NULL = "__NULL_RESOURCE__"
DELTAS: dict[str, dict[str, Any]] = {
    "NBCellsAdd": _delta("nb_cells", "add", {"id": "a", "cell": CELL, "after_id": None}, NULL),
    "NBCellsDelete": _delta("nb_cells", "delete", {"id": "a"}, NULL),
    "NBCellsMove": _delta("nb_cells", "move", {"id": "a", "after_id": "b"}, NULL),
    "CellContentsUpdate": _delta("cell_contents", "update", {"patch": "@@ -0,0 +1 @@\n+x\n"}),
    "CellContentsReplace": _delta("cell_contents", "replace", {"source": "x"}),
    "CellMetadataUpdate": _delta(
        "cell_metadata", "update", {"path": ["a"], "value": None, "prior_value": {"b": 1}}
    ),
    "CellMetadataReplace": _delta("cell_metadata", "replace", {"type": "raw", "language": None}),
    "NBMetadataUpdate": _delta(
        "nb_metadata", "update", {"path": ["a"], "value": 1, "prior_value": 0}, NULL
    ),
    "CellOutputCollectionReplace": _delta(
        "cell_output_collection", "replace", {"output_collection_id": ID}
    ),
    "CellExecute": _delta("cell_execute", "execute", None),
    "CellExecuteBefore": _delta("cell_execute", "execute_before", None),
    "CellExecuteAfter": _delta("cell_execute", "execute_after", None),
    "CellExecuteAll": _delta("cell_execute", "execute_all", None, NULL),
}
DELTA = DELTAS["CellContentsUpdate"]

REQUESTS: dict[str, tuple[str, str, Any]] = {
    "AuthenticateRequest": ("system", "authenticate_request", {"token": "secret"}),
    "PingRequest": ("system", "ping_request", None),
    "WhoAmIRequest": ("system", "whoami_request", None),
    "FileSubscribeRequest": (FILES, "subscribe_request", {"from_version_id": ID}),
    "FileUnsubscribeRequest": (FILES, "unsubscribe_request", None),
    "NewDeltaRequest": (FILES, "new_delta_request", {"delta": DELTA}),
    "UpdateUserCellSelectionRequest": (FILES, "update_user_cell_selection_request", {"id": "a"}),
    "TransformViewToCodeRequest": (FILES, "transform_view_to_code_request", {"any": 1}),
    "AttachRequest": (FILES, "attach_request", {"execution_id": ID, "keep": True}),
    "ScratchRequest": (FILES, "scratch_request", {"execution_id": ID, "source": "1"}),
    "InputReplyRequest": (FILES, "input_reply_request", {"request_id": ID, "value": "42"}),
    "KernelSubscribeRequest": (KERNELS, "subscribe_request", {"file_id": FILE_ID}),
    "VariableExplorerUpdateRequest": (KERNELS, "variable_explorer_update_request", None),
    "IntegratedAIRequest": (KERNELS, "integrated_ai_request", {"prompt": "?"}),
    "IntegratedAIResult": (KERNELS, "integrated_ai_result", {}),
}

SUCCESS = {"success": True}
ERROR = {"message": "why"}
RESPONSES: dict[str, tuple[str, str, Any]] = {
    "AuthenticateReply": ("system", "authenticate_reply", {"success": True, "user": USER}),
    "PingResponse": ("system", "ping_response", None),
    "WhoAmIResponse": ("system", "whoami_response", {"user": None}),
    "FileSubscribeReply": (
        FILES,
        "subscribe_reply",
        {
            "deltas_to_apply": list(DELTAS.values()),
            "cell_states": [{"cell_id": "a", "state": "queued"}],
            "latest_delta_id": ID,
            "kernel_session": KERNEL,
        },
    ),
    "FileUnsubscribeReply": (FILES, "unsubscribe_reply", SUCCESS),
    "NewDeltaReply": (FILES, "new_delta_reply", SUCCESS),
    "NewDeltaEvent": (FILES, "new_delta_event", DELTA),
    "AppendOutputEvent": (FILES, "append_output_event", OUTPUT),
    "UpdateOutputCollectionEvent": (FILES, "update_output_collection_event", COLLECTION),
    "UpdateOutputsByDisplayIdEvent": (
        FILES,
        "update_outputs_by_display_id_event",
        {"output_ids": [ID], "content": {"mimetype": "text/plain", "raw": "x"}},
    ),
    "UpdateUserCellSelectionReply": (FILES, "update_user_cell_selection_reply", SUCCESS),
    "UpdateUserFileSubscriptionEvent": (
        FILES,
        "update_user_file_subscription_event",
        {"user_id": ID, "file_id": FILE_ID, "subscribed": True, "last_event_at": TIME},
    ),
    "RemoveUserFileSubscriptionEvent": (
        FILES,
        "remove_user_file_subscription_event",
        {"user_id": ID},
    ),
    "RoleChangedEvent": (FILES, "role_changed_event", {"role": None, "message": "why"}),
    "UsageMetricsEvent": (
        FILES,
        "usage_metrics_event",
        {"cpu_usage_percent": 3, "memory_usage_percent": 40},
    ),
    "FileVersionsChangedEvent": (FILES, "v0_file_versions_changed_event", {"any": 1}),
    "FileRenamedEvent": (
        FILES,
        "file_renamed_event",
        {"path": "a/b.ipynb", "filename": "b.ipynb"},
    ),
    "FileStateEvent": (
        FILES,
        "file_state_event",
        {"state": "failing", "reason": "why", "unsaved": True, "since": 1.5},
    ),
    "V0CreateWidgetModelEvent": (FILES, "v0_create_widget_model_event", [1]),
    "TransformViewToCodeReply": (FILES, "transform_view_to_code_reply", {"success": False}),
    "InputRequestEvent": (
        FILES,
        "input_request_event",
        {"request_id": ID, "cell_id": "a", "execution_id": ID, "prompt": "? "},
    ),
    "InputReplyReply": (FILES, "input_reply_reply", SUCCESS),
    "AttachReply": (
        FILES,
        "attach_reply",
        {"success": True, "run": {"execution_id": ID, "cell_ids": ["a"], "state": "queued"}},
    ),
    "ScratchReply": (FILES, "scratch_reply", SUCCESS),
    "ExecutePayloadEvent": (
        FILES,
        "execute_payload_event",
        {"execution_id": ID, "cell_id": "a", "payload": [{"source": "page"}]},
    ),
    "RunStateEvent": (FILES, "run_state_event", {"cell_id": "", "state": "queued"}),
    "KernelSubscribeReply": (KERNELS, "subscribe_reply", {"success": True}),
    "KernelStatusUpdateResponse": (KERNELS, "kernel_status_update_event", KERNEL),
    "BulkCellStateUpdateResponse": (
        KERNELS,
        "bulk_cell_state_update_event",
        {"cell_states": [{"cell_id": "a", "state": "executing"}]},
    ),
    "VariableExplorerUpdateRequestPropagated": (KERNELS, "variable_explorer_update_request", {}),
    "VariableExplorerResponse": (KERNELS, "variable_explorer_event", {"x": {"type": "int"}}),
    "IntegratedAIReply": (KERNELS, "integrated_ai_reply", {"success": False}),
    "IntegratedAIResultReply": (KERNELS, "integrated_ai_result_reply", {"success": False}),
    "InvalidEventResponse": ("system", "invalid_event", ERROR),
    "InvalidDataResponse": (FILES, "invalid_data", ERROR),
    "PermissionDeniedResponse": (KERNELS, "permission_denied", ERROR),
    "InconsistentStateEvent": (FILES, "inconsistent_state_event", ERROR),
    "DeltaRejectedResponse": (FILES, "delta_rejected", {"cause": "why"}),
}


def request(channel: str, event: str, data: Any) -> dict[str, Any]:
    return {"transaction_id": ID, "channel": channel, "event": event, "data": data}


def response(channel: str, event: str, data: Any) -> dict[str, Any]:
    extra = {"processed_timestamp": TIME, "msg_id": ID}
    return request(channel, event, data) | extra


def spellings(content: dict[str, Any]) -> list[str | bytes]:
    """Return the ways in which senders write one message."""
    compact = json.dumps(content, separators=(",", ":"))
    backwards = dict(reversed(content.items()))
    prefix = content["channel"].partition("/")[0]
    repeated = {
        "transaction_id": content["transaction_id"],
        "channel": content["channel"],
        "channel_prefix": prefix,
        **content,
    }
    return [
        compact,
        compact.encode(),
        json.dumps(content),
        json.dumps(backwards).encode(),
        json.dumps(content, indent=2),
        json.dumps(repeated),
        json.dumps(content | {"unknown": {"key": 1}}),
    ]
