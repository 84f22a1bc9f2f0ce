"""Transformer on notes (Vaswani et al. 2017), two layers with normalisation before them; the mean over notes is classified.

It reads `note_events` of a corpus. A note's vector is the sum of what is learned for its pitch, its duration, the time since the
note before, and its place in the chunk. Times are rounded on a logarithmic scale: `STEPS` a doubling, a twelfth of a quarter and
more.
"""

import torch
from torch import nn

BANDS, LONGEST, NOTES = True, 256, True
PARAMETERS = {"epochs": 15}
HIDDEN, HEADS, LAYERS, DROPOUT = 64, 4, 2, 0.2
PITCHES, STEPS, TIMES = 128, 4, 40


def network(n_classes, n_bands, width):
    if n_bands != 3:
        raise ValueError(
            f"model transformer reads `note_events`, three values a note, and its input has {n_bands} a row"
        )
    return Transformer(n_classes, HEADS * max(1, round(HIDDEN / HEADS * width)))


class Transformer(nn.Module):
    def __init__(self, n_classes, hidden):
        super().__init__()
        self.pitch, self.since, self.duration = (nn.Embedding(n, hidden) for n in (PITCHES, TIMES, TIMES))
        self.place = nn.Embedding(LONGEST, hidden)
        layer = nn.TransformerEncoderLayer(hidden, HEADS, 4 * hidden, DROPOUT, batch_first=True, norm_first=True)
        self.body = nn.TransformerEncoder(layer, LAYERS, nn.LayerNorm(hidden), enable_nested_tensor=False)
        self.dropout = nn.Dropout(DROPOUT)
        self.head = nn.Linear(hidden, n_classes)

    def front(self, chunks):
        return chunks

    def classify(self, chunks):
        pitch, since, duration = chunks.unbind(dim=2)
        notes = (
            self.pitch(pitch.long().clamp(0, PITCHES - 1))
            + self.since(rounded(since))
            + self.duration(rounded(duration))
        )
        place = torch.arange(chunks.shape[1], device=chunks.device).clamp(max=LONGEST - 1)
        embedding = self.body(notes + self.place(place)).mean(dim=1)
        return self.head(self.dropout(embedding)), embedding


def rounded(quarters):
    """The place of each time on the logarithmic scale: 0 for none, `STEPS` for a twelfth of a quarter, at most `TIMES` - 1."""
    return torch.round(STEPS * torch.log2(1 + 12 * quarters.clamp(min=0))).long().clamp(max=TIMES - 1)
