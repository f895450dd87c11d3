"""The names that other programs rely on."""

import rtu_magics.models as models
from rtu_magics.models import FileDelta

from .messages import DELTAS, REQUESTS, RESPONSES

# Callbacks register by class, so these names are fixed.
PROMISED = {
    "BaseRTURequest",
    "BaseRTUResponse",
    "CodeCell",
    "FileDelta",
    "MarkdownCell",
    "NewDeltaRequestData",
    "Notebook",
    "NotebookCell",
    "RTURequest",
    "RTUResponse",
    "RawCell",
} | {f"{name}Properties" for name in DELTAS if not name.startswith("CellExecute")}

# Ours.
ADDED = {
    "Attach",
    "AuthenticateReplyData",
    "AuthenticateRequestData",
    "BaseRTU",
    "BooleanReplyData",
    "BulkCellStateUpdateData",
    "CellExecuteDelta",
    "CellOutput",
    "CellState",
    "CellStateName",
    "DataSource",
    "DeltaAuthor",
    "DeltaLog",
    "DeltaLogStart",
    "FilePerson",
    "Invite",
    "Variable",
    "Variables",
    "DeltaRejectedData",
    "DisplayDataOutput",
    "ErrorData",
    "ErrorOutput",
    "ExecuteResultOutput",
    "FINISHED_STATES",
    "File",
    "FileDeltaAdapter",
    "FileDeltaBase",
    "FileRenamedEventData",
    "FileStateData",
    "FileSubscribeReplyData",
    "FileSubscribeRequestData",
    "FileVersion",
    "AttachReplyData",
    "ExecutePayloadEventData",
    "AttachRequestData",
    "InputReplyRequestData",
    "InputRequestEventData",
    "EndReason",
    "KERNEL_ALIVE_STATES",
    "KERNEL_CULLED",
    "KERNEL_ENDED",
    "RefusalReason",
    "KERNEL_LOST_REASONS",
    "installed_name",
    "KernelDetails",
    "KernelSession",
    "KernelStateName",
    "KernelStatusUpdate",
    "KernelSubscribeReplyData",
    "KernelSubscribeRequestData",
    "Model",
    "MultilineText",
    "NIL_UUID",
    "NULL_PRIOR_VALUE_SENTINEL",
    "NULL_RESOURCE_SENTINEL",
    "OTHER_PROGRAM",
    "OTHER_PROGRAM_ID",
    "NotebookCellAdapter",
    "Output",
    "OutputCollection",
    "OutputContent",
    "PresignedUploadPart",
    "PresignedUploadURLInfo",
    "Project",
    "REQUEST_CLASSES",
    "RESPONSE_CLASSES",
    "RemoveUserFileSubscriptionEventData",
    "Resource",
    "RoleChangedEventData",
    "Run",
    "SCRATCH_CELL",
    "ScratchRequestData",
    "ServerInfo",
    "Space",
    "StreamOutput",
    "UpdateOutputsByDisplayIdEventData",
    "UpdateUserCellSelectionRequestData",
    "UpdateUserFileSubscriptionEventData",
    "UsageMetricsEventData",
    "User",
    "WhoAmIResponseData",
    "describe_validation_error",
    "kernel_channel",
    "source_digest",
    "make_sql_cell",
    "parse_notebook",
    "parse_request",
    "parse_response",
    "utcnow",
}


def test_the_public_names_are_what_we_promise() -> None:
    expected = PROMISED | ADDED | set(DELTAS) | set(REQUESTS) | set(RESPONSES)
    assert set(models.__all__) == expected
    assert len(models.__all__) == len(expected), "no name stands there twice"
    for name in models.__all__:
        assert getattr(models, name) is not None


def test_a_deltas_class_is_named_after_its_type_and_action() -> None:
    assert FileDelta is models.FileDelta
    words = {"nb": "NB"}
    for name, delta in DELTAS.items():
        parts = f"{delta['delta_type']}_{delta['delta_action']}".split("_")
        if delta["delta_type"] == "cell_execute" and parts[2] == "execute":
            del parts[2]  # CellExecute, CellExecuteAll: not said twice
        assert name == "".join(words.get(part, part.capitalize()) for part in parts)
