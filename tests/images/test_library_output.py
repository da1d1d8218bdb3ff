"""What libraries print, log and warn of is collected, and reaches nobody else's terminal."""

from __future__ import annotations

import logging
import os
import threading
import warnings

import pytest

from archivae.images.library_output import library_lines, standard_error_lines


def test_lines_on_standard_error_are_collected_once_each(capfd: pytest.CaptureFixture[str]) -> None:
    with standard_error_lines() as lines:
        os.write(2, b"decoder: a  bad\tcode\ndecoder: a bad code\n\nand \xff\n")
        assert lines == []
    assert lines == ["decoder: a bad code", "and \ufffd"]
    os.write(2, b"after\n")
    assert capfd.readouterr() == ("", "after\n")


def test_standard_error_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError), standard_error_lines() as lines:
        os.write(2, b"said before\n")
        raise ValueError
    os.write(2, b"after\n")
    assert lines == ["said before"] and capfd.readouterr().err == "after\n"


def test_warnings_and_log_lines_of_this_thread_alone_are_collected(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tifffile")
    with library_lines() as lines:
        for _ in range(2):
            log.warning("odd tag")
            warnings.warn("odd EXIF", stacklevel=1)
        log.debug("nothing of note")
        other = threading.Thread(target=log.warning, args=("another's",))
        other.start()
        other.join()
    log.warning("later")
    assert lines == ["odd tag", "odd EXIF"]
    assert [record.getMessage() for record in caplog.records] == ["another's", "later"]


def test_no_picture_says_without_end() -> None:
    with library_lines() as lines:
        for number in range(1000):
            logging.getLogger("tifffile").error("line %d %s", number, "x" * 1000)
    assert len(lines) == 20 and max(map(len, lines)) == 200
