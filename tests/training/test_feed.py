"""Batches on their way to the device: packed and unpacked, and seen again while no new one is ready."""

from __future__ import annotations

import threading

import pytest
import torch

from napari_sam.training.batches import collate
from napari_sam.training.feed import Feed
from napari_sam.training.packing import PackedBatch, pack
from napari_sam.training.samples import PairSampler, SampleSettings

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def pairs():
    rng = torch.Generator().manual_seed(3)
    sampler = PairSampler(SampleSettings(side=64, n_objects=3), [])
    return [sampler.draw(rng) for _ in range(6)]


def test_unpacked_batches_are_what_was_packed(pairs):
    plain, unpacked = collate(pairs), pack(pairs).unpack()
    assert torch.equal(plain.masks, unpacked.masks)
    assert torch.equal(plain.pair, unpacked.pair)
    assert torch.allclose(plain.pixels, unpacked.pixels, atol=1e-5)
    assert torch.equal(plain.pixels == 0, unpacked.pixels == 0)


def test_batches_are_small_on_their_way(pairs):
    plain, packed = collate(pairs), pack(pairs)
    n_bytes = sum(t.nbytes for t in (packed.pixels, packed.filled_hw, packed.bits))
    assert n_bytes < 0.3 * (plain.pixels.nbytes + plain.masks.nbytes)


def test_a_varied_batch_keeps_objects_with_their_pictures(pairs):
    torch.manual_seed(4)
    packed = pack(pairs)
    plain = packed.unpack()
    for _ in range(8):
        varied = packed.unpack(varied=True)
        assert torch.equal(varied.masks.flatten(2).sum(2), plain.masks.flatten(2).sum(2))
        padding = (varied.pixels == 0).all(dim=1)
        assert torch.equal(padding.flatten(1).sum(1), (plain.pixels == 0).all(dim=1).flatten(1).sum(1))
        for plane in (0, 1):
            outside = padding[varied.pair + plane * varied.n_pairs]
            assert not bool((outside & varied.masks[plane]).any())


def test_mirroring_moves_masks_as_it_moves_pixels():
    height, width, side = 24, 40, 64
    mask = torch.zeros(side, side, dtype=torch.bool)
    mask[3:9, 5:30] = True
    pixels = torch.zeros(2, 1, 3, side, side, dtype=torch.uint8)
    pixels[..., :height, :width] = 60
    pixels[..., mask] = 200
    bits = pack_bits(mask).expand(2, 1, -1, -1)
    batch = PackedBatch(pixels, torch.tensor([[height, width]]), bits, torch.tensor([0]))
    torch.manual_seed(0)
    seen = set()
    for _ in range(20):
        varied = batch.unpack(varied=True)
        grey = varied.pixels[0, 0]
        inside, filled = varied.masks[0, 0], grey != 0
        assert float(grey[inside].std()) < 1e-5
        assert float((grey[inside].mean() - grey[filled & ~inside].mean()).abs()) > 0.1
        seen.add(tuple(int(v) for v in inside.nonzero()[0]))
    assert len(seen) == 8


def pack_bits(mask: torch.Tensor) -> torch.Tensor:
    eights = mask.unflatten(-1, (-1, 8)).long()
    return (eights * 2 ** torch.arange(8)).sum(-1).to(torch.uint8)


def test_a_feed_that_keeps_nothing_gives_each_batch_once(pairs):
    batches = [pack(pairs[i : i + 1]) for i in range(6)]
    feed = Feed(batches, CPU, n_kept=0)
    given = [feed.next() for _ in range(6)]
    feed.close()
    assert (feed.n_new, feed.n_again) == (6, 0)
    assert all(
        torch.equal(one.masks, packed.unpack().masks) for one, packed in zip(given, batches, strict=True)
    )


def test_older_batches_are_seen_again_while_no_new_one_is_ready(pairs):
    more = threading.Event()

    def slow():
        yield pack(pairs[:2])
        more.wait(timeout=60)
        yield pack(pairs[2:])

    feed = Feed(slow(), CPU, n_kept=4)
    first = feed.next()
    assert [feed.next().n_pairs for _ in range(5)] == [first.n_pairs] * 5
    more.set()
    assert feed.next().n_pairs == 4  # the first was seen six times: the feed waits for the new one
    feed.close()
    assert (feed.n_new, feed.n_again) == (2, 5)


def test_a_fault_in_drawing_reaches_who_asks():
    def broken():
        raise ValueError("no pictures")
        yield

    feed = Feed(broken(), CPU, n_kept=0)
    with pytest.raises(ValueError, match="no pictures"):
        feed.next()
    feed.close()
