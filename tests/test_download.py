import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_makers import Heard, Site, serving

from hpsearch.datasets.addresses import NotFetched, refuse_unsafe, shown
from hpsearch.datasets.download import RemoteFile, fetch
from hpsearch.errors import DataRefused

BODY = bytes(range(256)) * 4096


@pytest.fixture
def site() -> Iterator[Site]:
    with serving({"digits.gz": BODY}) as running:
        yield running


@pytest.fixture
def digits() -> RemoteFile:
    checksum = f"md5:{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}"
    return RemoteFile("digits.gz", ("https://nowhere.invalid/",), checksum, len(BODY))


def parts(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def test_a_file_comes_whole_from_the_users_own_mirror(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    heard = Heard()

    (path,) = fetch([digits], tmp_path, heard, f"{site.url}/good/")

    assert path.read_bytes() == BODY
    assert parts(tmp_path) == ["digits.gz"]
    assert heard.news[-1] == ("digits.gz", len(BODY), len(BODY))


def test_a_file_that_is_there_is_not_asked_for_again(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    fetch([digits], tmp_path, Heard(), f"{site.url}/good")

    fetch([digits], tmp_path, Heard(), f"{site.url}/good")

    assert len(site.asked) == 1


def test_a_cut_connection_goes_on_where_it_broke_off(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    (path,) = fetch([digits], tmp_path, Heard(), f"{site.url}/cuts-once")

    assert path.read_bytes() == BODY
    assert site.asked == [("cuts-once", None), ("cuts-once", f"bytes={len(BODY) // 2}-")]


def test_a_later_run_goes_on_from_the_part_file(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "digits.gz.part").write_bytes(BODY[:1000])

    (path,) = fetch([digits], tmp_path, Heard(), f"{site.url}/good")

    assert path.read_bytes() == BODY
    assert site.asked == [("good", "bytes=1000-")]


def test_a_part_file_that_is_whole_already_only_gets_its_name(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "digits.gz.part").write_bytes(BODY)

    (path,) = fetch([digits], tmp_path, Heard(), f"{site.url}/good")

    assert path.read_bytes() == BODY


def test_a_part_file_of_something_else_is_begun_again(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "digits.gz.part").write_bytes(b"something else")

    (path,) = fetch([digits], tmp_path, Heard(), f"{site.url}/good")

    assert path.read_bytes() == BODY


def test_a_server_that_knows_no_ranges_sends_all_again(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    (path,) = fetch([digits], tmp_path, Heard(), f"{site.url}/cuts-then-forgets-ranges")

    assert path.read_bytes() == BODY


def test_a_redirect_within_the_mirror_is_followed(site: Site, digits: RemoteFile, tmp_path: Path) -> None:
    (path,) = fetch([digits], tmp_path, Heard(), f"{site.url}/moved")

    assert path.read_bytes() == BODY


@pytest.mark.promise("P23", "62", "H39")
@pytest.mark.parametrize(
    ("habit", "words"),
    [
        ("lies", "other bytes than those with md5"),
        ("not-there", "answers 404"),
        ("never-ends", "sends more than the"),
        ("always-cuts", "broke off"),
        ("goes-round", "redirects more than 3 times"),
        ("betrays", "only https addresses"),
        ("sends-to-a-neighbour", "only https addresses"),
        ("babbles", "no address"),
        ("sends-to-files", "redirects from http to 'file'"),
    ],
)
def test_what_is_wrong_with_a_mirror_is_said_and_nothing_gets_the_files_name(
    habit: str, words: str, site: Site, digits: RemoteFile, tmp_path: Path
) -> None:
    with pytest.raises(DataRefused) as refused:
        fetch([digits], tmp_path, Heard(), f"{site.url}/{habit}")

    assert words in str(refused.value)
    assert f"{site.url}/{habit}/digits.gz" in str(refused.value)
    assert not (tmp_path / "digits.gz").exists()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < len(BODY)


def test_without_a_network_the_error_says_what_to_put_where(digits: RemoteFile, tmp_path: Path) -> None:
    other = RemoteFile("names.txt", (), "sha256:00ff", 10)
    (tmp_path / "digits.gz").write_bytes(b"put here by hand, but wrong")

    with pytest.raises(DataRefused) as refused:
        fetch([digits, other], tmp_path, Heard(), str(tmp_path / "empty"))

    assert f"by hand into {tmp_path}" in str(refused.value)
    assert f"digits.gz  {digits.checksum.replace(':', ' ')}" in str(refused.value)
    assert "something else" in str(refused.value)
    assert "names.txt  sha256 00ff" in str(refused.value)


def test_a_folder_can_be_the_mirror(digits: RemoteFile, tmp_path: Path) -> None:
    mirror = tmp_path / "a stick"
    mirror.mkdir()
    (mirror / "digits.gz").write_bytes(BODY)

    (path,) = fetch([digits], tmp_path / "cache", Heard(), str(mirror))

    assert path.read_bytes() == BODY


@pytest.mark.parametrize("mirror", ["https://[bad/", "https://host:port/", "s3://bucket/", "gs://a/b"])
def test_a_mirror_that_is_no_address_is_refused(mirror: str, digits: RemoteFile, tmp_path: Path) -> None:
    with pytest.raises(DataRefused, match=r"data\.mirror"):
        fetch([digits], tmp_path, Heard(), mirror)


def test_a_server_that_is_down_is_reported_without_its_password(digits: RemoteFile, tmp_path: Path) -> None:
    with pytest.raises(DataRefused) as refused:
        fetch([digits], tmp_path, Heard(), "http://user:S3CRET@127.0.0.1:1/data?token=S3CRET")

    assert "cannot be reached" in str(refused.value)
    assert "S3CRET" not in str(refused.value)


@pytest.mark.promise("P23", "H39")
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://10.0.0.8/x",
        "https://192.168.1.1/x",
        "https://100.64.0.1/x",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://[fe80::1]/x",
        "http://93.184.215.14/x",
        "ftp://93.184.215.14/x",
        "file:///etc/shadow",
        "https://no-such-host.invalid/x",
    ],
)
def test_only_public_https_addresses_are_asked(url: str) -> None:
    with pytest.raises(NotFetched):
        refuse_unsafe(url, None)


def test_a_public_https_address_may_be_asked() -> None:
    refuse_unsafe("https://93.184.215.14/x", None)


@pytest.mark.promise("H39")
def test_a_mirror_may_be_private_but_never_where_clouds_keep_their_secrets() -> None:
    refuse_unsafe("http://10.0.0.8/x", "http://10.0.0.8/")

    with pytest.raises(NotFetched):
        refuse_unsafe("http://169.254.169.254/x", "http://169.254.169.254/")


@pytest.mark.promise("H39")
@pytest.mark.parametrize("name", ["no_proxy", "http_proxy"])
def test_a_host_is_looked_up_where_no_proxy_stands_before_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in list(os.environ):
        if variable.lower().endswith("_proxy"):
            monkeypatch.delenv(variable)
    monkeypatch.setenv(name, "10.0.0.1")

    with pytest.raises(NotFetched, match=r"localhost is at .*, not a public address"):
        refuse_unsafe("https://localhost/x", None)


@pytest.mark.promise("H39")
def test_a_proxy_looks_the_host_up_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:1")

    refuse_unsafe("https://no-such-host.invalid/x", None)


def test_an_address_is_shown_without_secrets() -> None:
    assert shown("https://me:pw@host:8443/a/b?key=1#f") == "https://host:8443/a/b"
