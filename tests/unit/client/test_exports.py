import inspect
import subprocess
import sys
from uuid import uuid4

import rtu_magics.client as package
from rtu_magics.client import APIClient, RTUClient, RTUManager


def test_the_public_names():
    assert package.__all__ == [
        "APIClient",
        "DeltaCallback",
        "DeltaRequestCallbackManager",
        "RTUClient",
        "RTUManager",
    ]
    for name in package.__all__:
        assert getattr(package, name).__doc__


def test_every_member_that_people_know_is_there():
    members = """
        initialize wait_ready shutdown send register_rtu_event_callback
        register_transaction_id_callback register_delta_callback context_hook connect_hook auth_hook
        disconnect_hook on_auth send_file_subscribe on_file_subscribe_timeout on_file_subscribe
        queue_or_apply_delta post_queue_delta pre_apply_delta failed_to_squash_delta apply_delta
        replay_unapplied_deltas on_kernel_status_update on_bulk_cell_state_update
        wait_for_kernel_idle new_delta_request add_cell delete_cell change_cell_type
        update_cell_content replace_cell_content queue_execution cell_ids kernel_pod_name
        file_subcribe_timeout unapplied_deltas
    """
    for name in members.split():
        assert getattr(RTUClient, name).__doc__, name


def test_every_call_of_the_rest_api_is_there():
    calls = """
        user_info create_space get_space delete_space list_space_projects create_project get_project
        delete_project list_project_files create_file create_notebook get_file get_file_content
        get_file_versions delete_file share_space share_project share_file unshare_space
        unshare_project unshare_file change_space_visibility change_project_visibility
        change_file_visibility get_datasources_for_notebook launch_kernel shutdown_kernel
        get_output_collection connect_realtime info open_file list_notebooks save_file
        get_kernelspecs get_session interrupt_kernel restart_kernel create_invite list_invites
        change_invite revoke_invite list_people restore_version get_log get_variables rename_file
    """
    for name in calls.split():
        assert inspect.iscoroutinefunction(getattr(APIClient, name)), name


def test_the_constructor_has_the_shape_that_people_know():
    names = list(inspect.signature(RTUClient).parameters)
    assert names[:7] == [
        "rtu_url",
        "jwt",
        "file_id",
        "file_version_id",
        "builder",
        "rtu_client_type",
        "file_subscribe_timeout",
    ]


def test_everything_can_be_made_without_a_running_loop():
    from rtu_magics.document import NotebookBuilder
    from rtu_magics.models import Notebook

    RTUManager("ws://x")
    client = RTUClient("ws://x", "t", uuid4(), uuid4(), NotebookBuilder(Notebook()))
    assert client.user_id is None
    assert client.rtu_session_id is None
    assert client.kernel_state == "not_started"
    assert client.cell_states == {}
    assert len(client.unapplied_deltas) == 0
    assert not client.deltas_to_apply_event.is_set()
    assert client.file_subscribe_timeout_task is None
    APIClient("t", "http://x")


def test_importing_it_loads_neither_httpx_nor_websockets():
    code = (
        "import sys, rtu_magics.client\n"
        "sys.exit(bool({'httpx', 'websockets', 'jupyter_server', 'IPython'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
