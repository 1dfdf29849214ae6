"""What a tape packs, tape.js can unpack."""

import gzip
import json
import shutil
import subprocess
from base64 import b64decode

import pytest

from nlcore.viz.tape import packed
from nlcore.viz.view import script

EVERYTHING = bytes(range(256)) * 40


def test_packed_is_text_of_the_same_bytes_smaller_and_always_the_same():
    text = packed(EVERYTHING)
    assert gzip.decompress(b64decode(text)) == EVERYTHING
    assert len(text) < len(EVERYTHING) and text == packed(EVERYTHING)


def test_the_page_unpacks_it():
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed, so the script was not tried")
    told = f"{script('tape')}\nunpacked({json.dumps(packed(EVERYTHING))}).then((bytes) => console.log(JSON.stringify([...bytes])));"
    found = subprocess.run([node, "--input-type=module"], input=told, capture_output=True, text=True, check=True)
    assert bytes(json.loads(found.stdout)) == EVERYTHING
