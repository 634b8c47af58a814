from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from restart.errors import Exit, Held, UsageMistake
from restart.runner import store as rooms
from restart.runner.mounts import bsd_mounts, linux_mounts, network_file_system, network_kind
from restart.runner.store import Store, default_path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_store_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "state" / "store.db"
    with Store.open(path) as store:
        with store.writing() as execute:
            execute("DELETE FROM word")
        assert mode(path.parent) == 0o700
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["store.db", "store.db-shm", "store.db-wal"]
        assert {mode(file) for file in files} == {0o600}


def test_every_write_is_on_disk_when_it_returns(store: Store) -> None:
    assert store.read("PRAGMA journal_mode") == [("wal",)]
    assert store.read("PRAGMA synchronous") == [(2,)]  # FULL


def test_roots_store_is_the_machines_and_a_users_is_in_the_state_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert default_path() == Path("/var/lib/restart/store.db")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_STATE_HOME", "/home/ann/state")
    assert default_path().name == "store.db"
    assert default_path().parent.name == "restart"
    assert default_path().parent != Path("/var/lib/restart")


def test_looking_for_a_store_makes_none(tmp_path: Path) -> None:
    assert Store.existing(tmp_path / "state" / "store.db") is None
    assert list(tmp_path.iterdir()) == []
    Store.open(tmp_path / "store.db").close()
    found = Store.existing(tmp_path / "store.db")
    assert found is not None
    found.close()


def test_a_store_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "network_file_system", lambda place: "nfs4")
    with pytest.raises(
        Held, match=r"network file system \(nfs4\), where a lock cannot be trusted \(name a file on a local"
    ) as met:
        Store.open(tmp_path / "state" / "store.db")
    assert met.value.exit_code is Exit.HELD
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("place", "kind"),
    [
        ("/home/ann/store.db", "nfs4"),
        ("/home/local/store.db", None),
        ("/homestead/store.db", None),
        ("/mnt/my disk/store.db", "fuse.sshfs"),
        ("/var/lib/restart/store.db", None),
        ("/twice/store.db", "cifs"),
    ],
)
def test_the_mount_that_holds_the_file_decides(place: str, kind: str | None) -> None:
    text = (
        "/dev/sda1 / ext4 rw 0 0\nfiler:/home /home nfs4 rw 0 0\n/dev/sdb1 /home/local xfs rw 0 0\n"
        "me@far: /mnt/my\\040disk fuse.sshfs rw 0 0\n/dev/sdc /twice ext4 rw 0 0\n//far/x /twice cifs rw 0 0\n"
    )
    assert network_kind(Path(place), linux_mounts(text)) == kind


def test_the_mounts_of_macos_are_read_as_well() -> None:
    text = (
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)\n"
        "//ann@filer/home on /Volumes/home on filer (smbfs, nodev, nosuid)\n"
    )
    mounts = bsd_mounts(text)
    assert network_kind(Path("/Volumes/home on filer/store.db"), mounts) == "smbfs"
    assert network_kind(Path("/Users/ann/store.db"), mounts) is None


def test_the_machines_own_mounts_can_be_read(tmp_path: Path) -> None:
    assert network_file_system(tmp_path) is None


def test_a_store_of_another_version_is_refused(store: Store) -> None:
    with store.writing() as execute:
        execute("UPDATE schema SET version = 99")
    with pytest.raises(Held, match="has the form of version 99, this restart reads version 2"):
        Store.open(store.path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "mail.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE mail (text)")
    other.close()
    with pytest.raises(Held, match="no store of restart"):
        Store.open(path)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_text("not at all a database\n" * 100)
    with pytest.raises(Held, match="is damaged: file is not a database"):
        Store.open(path)


def test_a_folder_is_no_store(tmp_path: Path) -> None:
    with pytest.raises(UsageMistake, match=r"is a folder \(name a file"):
        Store.open(tmp_path)


def test_a_place_where_no_store_can_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Held, match=r"cannot be made: .* \(name another by --store"):
        Store.open(tmp_path / "file" / "store.db")


def test_a_write_that_fails_is_undone(store: Store) -> None:
    def half() -> None:
        with store.writing() as execute:
            execute("INSERT INTO word (run, at, word, by, reason) VALUES ('r', 't', 'stop', 'ann', '')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert store.read("SELECT * FROM word") == []


@pytest.mark.parametrize("replaced", [False, True])
def test_a_store_that_is_deleted_or_replaced_is_neither_written_nor_read(tmp_path: Path, replaced: bool) -> None:
    with Store.open(tmp_path / "store.db") as store:
        for file in tmp_path.glob("store.db*"):
            file.unlink()
        if replaced:
            Store.open(store.path).close()
        gone = r"was deleted or replaced while it was in use \(put its backup"
        with pytest.raises(Held, match=gone), store.writing():
            pass
        with pytest.raises(Held, match=gone):
            store.read("SELECT 1")


def test_another_process_that_locks_the_store_for_long_is_told(store: Store) -> None:
    store.read("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(store.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Held, match="another process has locked"), store.writing():
        pass
    other.execute("ROLLBACK")
    other.close()


def test_threads_share_a_store(store: Store) -> None:
    def write(name: str) -> None:
        for _ in range(20):
            with store.writing() as execute:
                execute("INSERT INTO word (run, at, word, by, reason) VALUES ('r', 't', 'go', ?, '')", (name,))

    threads = [threading.Thread(target=write, args=(f"t{number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("SELECT count(*) FROM word") == [(80,)]


def test_processes_that_make_the_same_store_at_once_all_get_it(tmp_path: Path) -> None:
    path = tmp_path / "state" / "store.db"
    code = (
        "import sys; from pathlib import Path; from restart.runner.store import Store; sys.stdin.readline()\n"
        "with Store.open(Path(sys.argv[1])) as store: print(store.read('SELECT version FROM schema'))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    said = [process.communicate(timeout=60)[0] for process in started]
    assert said == ["[(2,)]\n"] * 4


def test_bytes_of_a_command_line_that_are_no_text_do_not_stop_an_operator(store: Store) -> None:
    with store.writing() as execute:
        execute("INSERT INTO word (run, at, word, by, reason) VALUES ('r1', '', 'stop', 'ann', ?)", ("now \udcff",))
    assert store.read("SELECT reason FROM word WHERE reason = ?", ("now \udcff",)) == [("now ?",)]
