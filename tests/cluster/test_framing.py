"""Bodies end where HTTP says, however the bytes are cut."""

import gzip

import pytest

from kdash.cluster.framing import ChunkedBody, CountedBody, GzipBody, UntilCloseBody
from kdash.informer.errors import DecodeError

WIRE = b"4\r\nWiki\r\n6;ext=1\r\npedia \r\nD\r\nin\r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\n"
PLAIN = b"Wikipedia in\r\n\r\nchunks."


@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 11, len(WIRE)])
def test_chunked_body_is_the_same_however_it_is_cut(step):
    body = ChunkedBody()
    got = b"".join(piece for at in range(0, len(WIRE), step) for piece in body.feed(WIRE[at : at + step]))
    assert got == PLAIN
    assert body.finished


def test_chunked_body_without_last_chunk_is_not_finished():
    body = ChunkedBody()
    body.feed(WIRE[:-2])
    assert not body.finished
    assert not body.ends_at_eof


@pytest.mark.parametrize("wire", [b"x\r\n", b"-1\r\n", b"\r\n", b"2\r\nabcd\r\n", b"1" * 5000])
def test_malformed_chunks_are_refused(wire):
    body = ChunkedBody()
    with pytest.raises(DecodeError):
        body.feed(wire)
        assert body.finished


def test_what_came_before_a_malformed_chunk_is_kept():
    assert ChunkedBody().feed(b"2\r\nab\r\nzz\r\n") == [b"ab"]


def test_counted_body_takes_its_length_and_no_more():
    body = CountedBody(5)
    assert body.feed(b"abc") == [b"abc"]
    assert not body.finished
    assert not body.ends_at_eof
    assert body.feed(b"defg") == [b"de"]
    assert body.finished


def test_body_until_close_ends_at_eof_only():
    body = UntilCloseBody()
    assert body.feed(b"abc") == [b"abc"]
    assert not body.finished
    assert body.ends_at_eof


@pytest.mark.parametrize("step", [1, 17, 100_000])
def test_gzip_inflates_over_any_cut_and_several_members(step):
    data = gzip.compress(b"first ") + gzip.compress(b"second" * 1000)
    body = GzipBody(CountedBody(len(data)))
    got = b"".join(piece for at in range(0, len(data), step) for piece in body.feed(data[at : at + step]))
    assert got == b"first " + b"second" * 1000
    assert body.finished


def test_a_gzip_bomb_comes_out_in_pieces_of_a_bounded_size():
    data = gzip.compress(bytes(10 << 20))
    pieces = GzipBody(CountedBody(len(data))).feed(data)
    assert sum(map(len, pieces)) == 10 << 20 and max(map(len, pieces)) <= 1 << 20


def test_trailers_without_an_end_are_refused():
    body = ChunkedBody()
    body.feed(b"0\r\n")
    with pytest.raises(DecodeError, match="trailers have no end"):
        for _ in range(10_000):
            body.feed(b"x-trailer: 1\r\n")

def test_damaged_and_cut_gzip_are_refused():
    with pytest.raises(DecodeError, match="damaged"):
        GzipBody(CountedBody(100)).feed(b"no gzip at all")
    data = gzip.compress(b"something")[:-6]
    body = GzipBody(CountedBody(len(data)))
    body.feed(data)
    with pytest.raises(DecodeError, match="cut short"):
        assert body.finished
