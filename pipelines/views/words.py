"""Words as frequencies of n-grams of one to three characters within words, hashed into 512 columns (Weinberger et al. 2009).

Hashing has no vocabulary, so that nothing is learned from any clip. Case is ignored, and the vector has length 1. Character
n-grams tell languages and spellings, less so what a text is about.
"""

from sklearn.feature_extraction.text import HashingVectorizer

SUFFIXES = (".txt", ".lrc")
OWN = "words.parquet"
N_COLUMNS, N_GRAMS = 512, (1, 3)


def from_file(content):
    try:
        return vector(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ValueError(f"it is no UTF-8 text (byte {error.start})") from error


def from_table(table):
    return {path: vector(words) for path, words in zip(table["path"], table["words"], strict=True)}


def vector(words):
    """`ngram_000`, ...: None of no words."""
    if not words.strip():
        return None
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=N_GRAMS, n_features=N_COLUMNS, alternate_sign=False)
    values = hashing.transform([words]).toarray()[0]
    return {f"ngram_{number:03d}": float(value) for number, value in enumerate(values)}
