"""params.yaml: what is no key, and what no stage takes, is one sentence when it is read."""

import copy
import importlib
import re
import shutil

import librosa
import numpy as np
import pytest
import yaml
from helpers import PROJECT
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import datasets
from pipelines.evaluation.robustness import DEGRADATIONS
from pipelines.models import published
from pipelines.ops import settings as rules
from pipelines.ops.retention import policy
from pipelines.ops.settings import code, learning, load_params
from pipelines.ops.settings import datasets as dataset_rules
from pipelines.training import recipes

TEXT = (PROJECT / "params.yaml").read_text()
RECIPE = yaml.safe_load(TEXT)
GONE, NAN = object(), float("nan")
MINE = {"module": "folder", "imports": "pipelines/datasets/listing.py", "path": "/music", "fingerprint": "0"}
WEIGHTS = {"path": "/x.pth", "sha256": "0" * 64, "tags": "jamendo", "source": "elsewhere", "licence": "MIT"}
FCN = {"network": "fcn", "reads": "waveform", "recipe": "weights", "weights": WEIGHTS}
MODERN = {"recipe": "modern", "width": 1}
GTZAN = {"module": "gtzan", "imports": "pipelines/datasets/sources"}
GTZAN_MODUL = {"modul": "gtzan", "imports": "pipelines/datasets/sources"}
JAMENDO, MAGNATAGATUNE = GTZAN | {"module": "jamendo"}, GTZAN | {"module": "magnatagatune"}
MAIL = {"to": "a@example.org", "server": "smtp://h"}


def loaded(tmp_path, **changes):
    """The project's parameters with some of them, `section__key` or `section`, set to others or taken out (GONE)."""
    shutil.copy(PROJECT / "dvc.yaml", tmp_path)
    settings = copy.deepcopy(RECIPE)
    for name, value in changes.items():
        *parents, last = (int(part) if part.isdigit() else part for part in name.split("__"))
        at = settings
        for parent in parents:
            at = at[parent]
        if value is GONE:
            del at[last]
        else:
            at[last] = value
    path = tmp_path / "params.yaml"
    path.write_text(yaml.dump(settings, Dumper=yaml.CSafeDumper))
    return load_params(path)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("audio__sample_rat", 16_000, "@ in params.yaml is not known; do you mean sample_rate?"),
        ("audoi", {}, "@ in params.yaml is not known; do you mean audio?"),
        ("audio__max_quarantined", 0.1, "@ in params.yaml is max_quarantined.default now"),
        ("clustering__zzz", 1, "@ in params.yaml is not known: there is maps, n_init"),
        ("executor__kind", "threads", "@ in params.yaml is 'threads', and must be processes or ray"),
        ("audio__max_duration_s", 0.5, "@ in params.yaml is 0.5, and must be at least audio.min_duration_s, 1 s"),
        ("audio__min_duration_s", "1s", "@ in params.yaml is '1s', and must be a number, 0 or more"),
        ("audio__channels", True, "@ in params.yaml is True, and must be 1 or 2"),
        ("training__seed", -1, "@ in params.yaml is -1, and must be a whole number from 0"),
        ("clustering__seed", 2.0, "@ in params.yaml is 2.0"),
        ("features__log_mel__n_fft", 0, "@ in params.yaml is 0, and must be a whole number"),
        ("features__log_mel__hop_length", 256.0, "@ in params.yaml is 256.0"),
        ("features__log_mel__hop", 256, "@ in params.yaml is not known; do you mean hop_length?"),
        ("features__log_mel__fmax", 9000, "@ in params.yaml is 9000, and must be at most half of"),
        ("features__pooled__fmin", 8000, "@ in params.yaml is 8000, and must be below fmax"),
        ("features__log_mel__n_mels", 400, "of 400 mel bands lie between two bins of an FFT of 512 samples"),
        ("baselines__pooled_pca__dimension", 8, "@ in params.yaml is not known; do you mean"),
        ("baselines__pooled_pca__dimensions", 0, "@ in params.yaml is 0"),
        ("max_quarantined", {"scores": 0.1}, "@ in params.yaml is {'scores': 0.1}, and must be a table"),
        ("max_quarantined__scors", 0.1, "@ in params.yaml is not known; do you mean scores?"),
        ("max_quarantined__default", "1%", "@ in params.yaml is '1%', and must be a share from 0 to 1"),
        ("max_quarantined", {"default": 1.5}, "@.default in params.yaml is 1.5, and must be a share from 0 to 1"),
        ("max_quarantined__scores", True, "@ in params.yaml is True, and must be a share from 0 to 1"),
        ("training__devices", 0, "@ in params.yaml is 0"),
        ("export__tolerance", "1e-4", "(YAML reads 1e-4 as a word: write 1.0e-4)"),
        ("study", [1], "@ in params.yaml is [1], and must be a table"),
        ("export__tolerance", NAN, "@ in params.yaml is nan"),
        ("audio__sample_rate", "16000", "@ in params.yaml is '16000', and must be a rate in Hz from 2000 to 768000 (in quotes"),
        ("audio__sample_rate", [16_000], "@ in params.yaml is [16000]"),
        ("audio__sample_rate", None, "@ in params.yaml is empty, and must be a rate"),
        ("audio__sample_rate", GONE, "@ is missing in params.yaml, and must be a rate"),
        ("audio", None, "@ in params.yaml is empty, and must be a table of sample_rate, channels"),
        ("clustering", GONE, "@ is missing in params.yaml, and must be a table of maps, n_init"),
        ("clustering__n_init", GONE, "@ is missing in params.yaml, and must be a whole number"),
        ("clustering__maps", ["tsnee"], "@ in params.yaml is ['tsnee'], and must be a list of tsne, umap"),
        ("clustering__maps", "tsne", "@ in params.yaml is 'tsne', and must be a list"),
        ("tasks", {"tagging": {}}, "@.tagging.n_bootstrap is missing in params.yaml"),
        ("tagging", {"n_bootstrap": 10}, "tagging in params.yaml is tasks.tagging now"),
        ("withdrawn", GONE, "@ is missing in params.yaml, and must be a table from SHA-256"),
        ("withdrawn", None, "@ in params.yaml is empty, and must be a table from SHA-256"),
        ("executor__workers", 1.5, "@ in params.yaml is 1.5"),
        ("executor__workers", "4", "@ in params.yaml is '4', and must be a whole number, 0 or more"),
        ("executor__adress", "x", "@ in params.yaml is not known; do you mean address?"),
        ("cache__limit_gb", -1, "@ in params.yaml is -1, and must be a number, 0 or more"),
        ("cache", 20, "@ in params.yaml is 20, and must be a table of limit_gb"),
        ("robustness__degradations", ["noise_20bd"], "and must be a list of noise_20db, noise_10db, mp3_64"),
        ("robustness__degradations", "mp3_64", "@ in params.yaml is 'mp3_64', and must be a list"),
        ("ood__k", 0, "@ in params.yaml is 0, and must be a whole number, 1 or more"),
        ("ood__map", [], "@ in params.yaml is not known; do you mean maps?"),
        ("leaks__near_cosine", "learned", "@ in params.yaml is 'learned', and must be learnt"),
        ("training__leave_out", GONE, "@ is missing in params.yaml"),
        ("training__dataset", "score", "@ in params.yaml is 'score'; do you mean scores?"),
        ("training__dataset", "music", "@ in params.yaml is 'music': `datasets` has scores"),
        ("training__dataset", None, "@ in params.yaml is empty"),
        ("training__dataset", GONE, "@ is missing in params.yaml"),
        ("training__devices", "2", "@ in params.yaml is '2', and must be auto, or a whole number above 0"),
        ("training__devices", True, "@ in params.yaml is True, and must be auto"),
        ("training__devices", None, "@ in params.yaml is empty, and must be auto"),
        ("registry__margins__roc_uac", 0.1, "@ in params.yaml is not known; do you mean roc_auc?"),
        ("registry__margins__probe", 0, "@ in params.yaml is 0, and must be a number above 0, at most 1"),
        ("registry__margins", [0.1], "@ in params.yaml is [0.1], and must be a table of roc_auc"),
        ("registry__drift__bin", 5, "@ in params.yaml is not known; do you mean bins?"),
        ("registry__drift__bins", 1, "@ in params.yaml is 1, and must be a whole number, 2 or more"),
        ("registry__automatic", "yes", "@ in params.yaml is 'yes', and must be true or false"),
        ("registry__probe", "svm", "@ in params.yaml is 'svm', and must be linear or knn"),
        ("retention__cashe", {}, "@ in params.yaml is not known; do you mean cache?"),
        ("retention__cache", 14, "@ in params.yaml is 14, and must be a table of keep_days"),
        ("retention__cache__keep_last", 1, "@ in params.yaml is not known"),
        ("retention__runs__keep_days", -1, "@ in params.yaml is -1, and must be a number, 0 or more"),
        ("retention__runs__keep_days", NAN, "@ in params.yaml is nan"),
        ("retention__runs", None, "@ in params.yaml is empty, and must be a table of keep_days, keep_last"),
        ("retention__automatic", 1, "@ in params.yaml is 1, and must be true or false"),
        ("alerts", "everybody", "@ in params.yaml is 'everybody', and must be a table of webhook, email"),
        ("alerts", {"webhok": "https://x.org"}, "@.webhok in params.yaml is not known; do you mean webhook?"),
        ("alerts", {"webhook": 7}, "@.webhook in params.yaml must be an https:// address"),
        ("alerts", {"every_s": "often"}, "@.every_s in params.yaml is 'often', and must be a number"),
        ("alerts", {"email": MAIL | {"too": "b@x.org"}}, "@.email.too in params.yaml is not known; do you mean to?"),
        ("alerts", {"email": MAIL | {"to": "a at x"}}, "@.email.to in params.yaml is 'a at x', and must be an address"),
        ("alerts", {"email": MAIL | {"server": "h"}}, "@.email.server in params.yaml must be smtp://"),
        ("datasets", None, "@ in params.yaml is empty, and must be a table, {} for an empty one"),
        ("datasets", GONE, "@ is missing in params.yaml, and must be a table, {} for an empty one"),
        ("datasets__scores", GTZAN_MODUL, "datasets.scores.modul in params.yaml is not known; do you mean module?"),
        ("datasets__scores__module", "score", "there is no pipelines/datasets/score.py; do you mean scores?"),
        ("datasets__scores__module", "listing", "@ in params.yaml is 'listing', and must be one that makes a dataset: composers"),
        ("datasets__scores__module", GONE, "@ is missing in params.yaml, and must be the name of a file"),
        ("datasets__scores__imports", GONE, "@ is missing in params.yaml"),
        ("datasets__scores__imports", "pipelines/symbol", "and must be a file or folder below pipelines/ that is there"),
        ("datasets__scores__clips_per_stile", 9, "@ in params.yaml is not known; do you mean clips_per_style?"),
        ("datasets__scores__clips_per_style", 0, "@ in params.yaml is 0"),
        ("datasets__scores__duration_s", "30 s", "@ in params.yaml is '30 s', and must be a number above 0"),
        ("datasets__scores__duration_s", GONE, "@ is missing in params.yaml"),
        ("datasets__scores__split", {"train": 0.6, "valid": 0.15, "test": 0.25}, "must be shares of train, validation and test"),
        ("datasets__scores__split__test", 0.5, "must be shares of train, validation and test that add up to 1"),
        ("datasets__scores__splits", ["tset"], "@ in params.yaml is ['tset'], and must be a list of train"),
        ("datasets__scores__soundfont_sha256", "abc", "soundfont_sha256 in params.yaml is 'abc', and must be a SHA-256"),
        ("datasets__mine", MINE | {"follow_link": True}, "@.follow_link in params.yaml is not known; do you mean follow_links?"),
        ("datasets__mine", MINE | {"path": 7}, "@.path in params.yaml is 7, and must be a word"),
        ("datasets__mine", {"module": "folder", "imports": MINE["imports"], "path": "/x"}, "@.fingerprint is missing"),
        ("datasets__g", GTZAN | {"splt": "full"}, "@.splt in params.yaml is not known; do you mean split?"),
        ("datasets__g", GTZAN | {"split": "ful"}, "@.split in params.yaml is 'ful', and must be fault_filtered or full"),
        ("datasets__g", GTZAN | {"fold": "1"}, "@.fold in params.yaml is '1', and must be 1 or 2 or 3"),
        ("datasets__j", JAMENDO | {"archives": [100]}, "@.archives in params.yaml is [100], and must be all, or"),
        ("datasets__j", JAMENDO | {"quality": "hi"}, "@.quality in params.yaml is 'hi', and must be low or full"),
        ("datasets__m", MAGNATAGATUNE | {"untagged": True}, "@.untagged in params.yaml is True, and must be leave_out or keep"),
        ("features", None, "@ in params.yaml is empty, and must be a table"),
        ("features__log_mell", {}, "@ in params.yaml: there is no pipelines/features/log_mell.py; do you mean log_mel?"),
        ("features__pooled", GONE, "@ is missing in params.yaml: stages of dvc.yaml read"),
        ("features__log_mel__fmin", NAN, "@ in params.yaml is nan"),
        ("features__log_mel__n_fft", [512], "@ in params.yaml is [512], and must be a whole number"),
        ("baselines", None, "@ in params.yaml is empty, and must be a table"),
        ("baselines__poled_pca", {}, "there is no pipelines/models/baselines/poled_pca.py; do you mean pooled_pca?"),
        ("baselines__pooled_pca__seed", GONE, "@ is missing in params.yaml, and must be a whole number"),
        ("recipes", None, "@ in params.yaml is empty, and must be a table, {} for an empty one"),
        ("taggers__short__recipe", "modren", "@ in params.yaml is 'modren'; do you mean modern?"),
        ("recipes__modern", None, "@ in params.yaml is empty, and must be a table of phases"),
        ("recipes__modern__patiense", 3, "@ in params.yaml is not known; do you mean patience?"),
        ("recipes__modern__patience", -1, "@ in params.yaml is -1, and must be a whole number, 0 or more (0 for none)"),
        ("recipes__modern__monitor", "f1", "@ in params.yaml is 'f1', and must be roc_auc or loss"),
        ("recipes__modern__monitor", GONE, "@ is missing in params.yaml, and must be roc_auc or loss"),
        ("recipes__modern__precision", "bf16", "@ in params.yaml is 'bf16', and must be auto or 32-true or bf16-mixed"),
        ("recipes__modern__phases", [], "taggers.sample.recipe in params.yaml: recipe 'modern' has no phases"),
        ("recipes__modern__phases", [3], "@ in params.yaml is [3], and must be a list of phases"),
        ("recipes__modern__phases", GONE, "@ is missing in params.yaml"),
        ("recipes__modern__phases", {"optimizer": "adam"}, "@ in params.yaml is {'optimizer': 'adam'}"),
        ("recipes__modern__phases__0__lr", 0.1, "recipes.modern.phases.lr in params.yaml is not known: there is optimizer"),
        ("recipes__modern__phases__0__optimizer", "lion", "phase 1, in params.yaml is 'lion', and must be adam or adamw"),
        ("recipes__modern__phases__0__optimizer", GONE, "optimizer of recipes.modern.phases, phase 1, is missing"),
        ("recipes__modern__phases__0__schedule", "step", "in params.yaml is 'step', and must be constant or cosine"),
        ("recipes__modern__phases__0__momentum", 0.9, "and must be left out: it is for sgd, and adamw has its own"),
        ("recipes__published__phases__1__momentum", 1.0, "momentum of recipes.published.phases, phase 2, in params.yaml is 1.0"),
        ("recipes__published__phases__3__learning_rate", GONE, "learning_rate of recipes.published.phases, phase 4, is missing"),
        ("recipes__modern__augment", None, "@ in params.yaml is empty, and must be a table of gain_db"),
        ("recipes__modern__augment__gain", 3, "@ in params.yaml is not known; do you mean gain_db?"),
        ("recipes__modern__augment__gain_db", "6", "@ in params.yaml is '6', and must be a number"),
        ("recipes__modern__augment__polarity", 1, "@ in params.yaml is 1, and must be true or false"),
        ("recipes__modern__augment__time_masks", 1.5, "@ in params.yaml is 1.5"),
        ("recipes__modern__augment__time_mask", 2, "@ in params.yaml is 2, and must be a share"),
        ("recipes__modern__augment__reverb_s", -1, "@ in params.yaml is -1, and must be a number, 0 or more"),
        ("taggers__short__augment", {"delay_s": 0.1}, "@.delay_s in params.yaml needs samples, and taggers.short reads log_mel"),
        ("taggers__sample__augment", {"pitch_bands": 2}, "@.pitch_bands in params.yaml needs frames, and taggers.sample reads"),
        ("taggers__short__epoch", 3, "@ in params.yaml is not known; do you mean epochs?"),
        ("taggers__short__seeds", 0, "@ in params.yaml is 0, and must be a whole number, 1 or more"),
        ("taggers__short__epochs", 0, "@ in params.yaml is 0, and must be a whole number, 1 or more"),
        ("taggers__short__epochs", 2.5, "@ in params.yaml is 2.5"),
        ("taggers__short__epochs", True, "@ in params.yaml is True"),
        ("taggers__short__batch_size", 0, "@ in params.yaml is 0"),
        ("taggers__short__chunks_per_clip", "2", "@ in params.yaml is '2'"),
        ("taggers__short__learning_rate", "1e-3", "above 0 (YAML reads 1e-3 as a word: write 1.0e-3)"),
        ("taggers__short__learning_rate", NAN, "@ in params.yaml is nan"),
        ("taggers__short__weight_decay", -0.1, "@ in params.yaml is -0.1"),
        ("taggers__short__width", 0, "@ in params.yaml is 0, and must be a number above 0, at most 4"),
        ("taggers__short__width", GONE, "@ is missing in params.yaml"),
        ("taggers__short__recipe", "published", "short.epochs in params.yaml: recipe 'published' has 4 phases"),
        ("taggers__short__recipe", GONE, "@ in params.yaml is None: `recipes` has modern, published"),
        ("taggers__short", None, "@ in params.yaml is None, and must be a table, {} for an empty one"),
        ("taggers", GONE, "@ is missing in params.yaml"),
        ("taggers", {"log_mel": {"short": MODERN}}, "@.log_mel in params.yaml: taggers stand directly under `taggers` now"),
        ("taggers", {"log_mel": {"short": MODERN}}, "write `short: {network: short, reads: log_mel, recipe: ...}` there"),
        ("taggers", {"waveform": {}, "published": {}}, "@.waveform in params.yaml: taggers stand directly under"),
        ("taggers__published", {"mine": {"architecture": "fcn"}}, "write `mine_published: {network: fcn, reads: waveform"),
        ("taggers__short__network", "shrot", "there is no pipelines/models/taggers/shrot.py; do you mean short"),
        ("taggers__short__network", "layers", "@ in params.yaml is 'layers', and must be a tagger: attention, crnn"),
        ("taggers__short__network", GONE, "@ is missing in params.yaml, and must be the name of a file in"),
        ("taggers__short__netwrok", "short", "@ in params.yaml is not known; do you mean network?"),
        ("taggers__short__reads", "log_mell", "@ in params.yaml is 'log_mell'; do you mean log_mel?"),
        ("taggers__short__reads", "pooled", "and must be what the network short reads: log_mel or waveform"),
        ("taggers__sample__reads", "log_mel", "and must be what the network sample reads: waveform"),
        ("taggers__short__reads", GONE, "@ is missing in params.yaml, and must be the name of an entry of `features`"),
        ("features__log_mel__n_mels", 96, "@ in params.yaml is 96, and must be 128, since taggers.short reads it"),
        ("features__log_mel__hop_length", GONE, "@ in params.yaml is empty, and must be 256, since taggers.short reads it"),
        ("taggers__fcn", FCN | {"weights": WEIGHTS | {"sha265": "x"}}, "@.weights.sha265 in params.yaml is not known; do you"),
        ("taggers__fcn", FCN | {"weights": WEIGHTS | {"sha256": "x"}}, "@.weights.sha256 in params.yaml is 'x', and must be"),
        ("taggers__fcn", FCN | {"weights": {"path": "/x.pth"}}, "@.weights.sha256 is missing in params.yaml"),
        ("taggers__fcn", FCN | {"weights": "/x.pth"}, "@.weights in params.yaml is '/x.pth', and must be a table of path"),
        ("taggers__fcn", FCN | {"network": "fnc"}, "there is no pipelines/models/taggers/fnc.py; do you mean fcn?"),
        ("taggers__fcn", FCN | {"recipe": "modern"}, "recipe 'modern' trains, and published weights are taken as they are"),
        ("taggers__fcn", FCN | {"width": 0.5}, "@.width in params.yaml is not known: there is network"),
        ("taggers__fcn", FCN | {"reads": "log_mel"}, "n_mels in params.yaml is 128, and must be 96, since taggers.fcn reads"),
        ("report__excerpt", 6, "@ in params.yaml is not known; do you mean excerpt_s?"),
        ("report", GONE, "@ is missing in params.yaml, and must be a table of excerpt_s"),
    ],
)  # fmt: skip
def test_one_sentence_names_the_key(tmp_path, name, value, said):
    """`@ ` in what is said: the key."""
    said = re.sub(r"@(?=[ .:])", name.replace("__", "."), said)
    with pytest.raises(SystemExit, match=re.escape(said)) as error:
        loaded(tmp_path, **{name: value})
    assert "\n" not in str(error.value)


def test_a_word_that_is_near_no_dataset_is_answered_with_all(tmp_path):
    with pytest.raises(SystemExit, match="'nope': `datasets` has mine, scores$"):
        loaded(tmp_path, datasets__mine=MINE, training__dataset="nope")


def test_what_is_there_is_known(tmp_path):
    assert loaded(tmp_path) == RECIPE
    assert set(rules.SECTIONS) - set(RECIPE) == set(), "rules of sections that the recipe has not"
    for section, keys in (rules.SECTIONS | {"retention": rules.LEFT_OUT["retention"]}).items():
        assert set(RECIPE[section]) == set(keys), section
        for key, inside in keys.items():
            assert not isinstance(inside, dict) or set(RECIPE[section][key]) == set(inside), (section, key)


def test_what_may_be_left_out(tmp_path):
    for section in ("alerts", "retention"):  # all their lines may be comments
        assert loaded(tmp_path, **{section: None})[section] is None
    assert "devices" not in loaded(tmp_path, training__devices=GONE)["training"]
    assert loaded(tmp_path, alerts={"email": {"to": "a@example.org"}})["alerts"], "the environment names the server"
    mine = {"mine": MINE | {"follow_links": True}, "g": GTZAN, "j": JAMENDO | {"archives": [0, 99]}, "m": MAGNATAGATUNE}
    assert set(loaded(tmp_path, datasets=RECIPE["datasets"] | mine, taggers__fcn=FCN)["datasets"]) > set(mine)


def test_a_file_of_ones_own_is_known(tmp_path, monkeypatch):
    """With one line for all constants, and a function that it has from another module."""
    for path, text in {
        "models/taggers/mine.py": "READS, CHUNK = {'waveform': {}}, 16_000\ndef create(n_tags, width): ...",
        "datasets/mine.py": "from pipelines.datasets.scores import build, clips\nOPTIONS = ('n',)",
        "datasets/sources/x.py": "",
        "features/mine.py": "def compute(y, sample_rate, hop): ...",
        "models/baselines/mine.py": "def embed(pooled, reference, **options): ...",
    }.items():
        (tmp_path / "pipelines" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pipelines" / path).write_text(text)
    monkeypatch.setattr(code, "PROJECT", tmp_path)
    changes = {
        "datasets": {"scores": GTZAN | {"module": "mine", "n": [1]}},
        "features": {"mine": {"hop": 3}, "pooled": {}, "waveform": {}},
        "baselines": {"mine": {"anything": 1}},
        "taggers": {"mine": MODERN | {"network": "mine", "reads": "waveform", "augment": {}}},
    } | {key: {} for key in ("corpora", "symbols", "runs")}
    for name in ("pooled", "waveform"):
        (tmp_path / f"pipelines/features/{name}.py").touch()
    assert loaded(tmp_path, **changes)
    for key, value in (("datasets__scores__m", 1), ("features__mine__hopp", 1), ("features__mine", {})):
        with pytest.raises(SystemExit, match="is not known|features.mine.hop is missing"):
            loaded(tmp_path, **changes, **{key: value})


def test_a_smaller_recipe_needs_less(tmp_path):
    (tmp_path / "dvc.yaml").write_text(
        "stages: {raw: {foreach: '${datasets}', do: {cmd: python -m pipelines.stages.raw, params: [audio.channels]}}}"
    )
    path = tmp_path / "params.yaml"
    path.write_text("datasets: {one: {n: 3}}\naudio: {channels: 1}\nrecipes: {quick: {}}\n")
    assert load_params(path)
    path.write_text("datasets: {one: {n: 3}}\naudio: {sample_rate: 16000}\n")
    with pytest.raises(SystemExit, match=r"audio\.channels is missing in params\.yaml, and must be 1 or 2"):
        load_params(path)


def test_rules_know_what_the_code_knows():
    """The rules are written out because params.yaml is looked at before every stage, and the code takes seconds to import."""
    assert set(
        rules.SECTIONS["robustness"]["degradations"][0].split(", [")[0].removeprefix("a list of ").split(", ")
    ) == set(DEGRADATIONS)
    for rule, known in (
        (learning.PHASE["optimizer"], recipes.OPTIMIZERS),
        (learning.PHASE["schedule"], recipes.SCHEDULES),
        (learning.WHOLE["monitor"], recipes.MONITORS),
    ):
        assert rule[0].split(" or ") == list(known)
    assert recipes.OF_A_PHASE == learning.OF_A_PHASE
    assert recipes.OF_THE_NETWORK == (*learning.NETWORK, "seeds", "width")
    assert set(published.WANTED) == set(learning.WEIGHTS)
    assert set(policy.DEFAULTS) == set(rules.LEFT_OUT["retention"])
    names = code.with_name(dataset_rules.FOLDER, "clips")
    assert set(names) == set(dataset_rules.OPTIONS)
    for name in names:
        module = importlib.import_module(f"pipelines.datasets.{name}")
        assert callable(module.build) and datasets.load({"module": name}) is module
        options = dataset_rules.OPTIONS[name]
        if hasattr(module, "OPTIONS"):
            assert set(module.OPTIONS) == set(options)
    from pipelines.datasets import gtzan, jamendo

    for module, option, known in (
        ("gtzan", "split", gtzan.SPLITS),
        ("gtzan", "variant", gtzan.VARIANTS),
        ("gtzan", "fold", gtzan.FOLDS),
        ("jamendo", "subset", jamendo.SUBSETS),
        ("jamendo", "quality", jamendo.KINDS),
    ):
        assert dataset_rules.OPTIONS[module][option][0] == " or ".join(map(str, known))


def test_every_feature_that_can_be_uncommented_passes(tmp_path):
    lines = re.findall(r"^  # (\w+): (\{n_fft.*|\{.*length.*)$", (PROJECT / "params.yaml").read_text(), re.MULTILINE)
    features = {name: yaml.safe_load(entry) for name, entry in lines}
    assert len(features) > 15 and all((PROJECT / f"pipelines/features/{name}.py").exists() for name in features)
    assert set(loaded(tmp_path, features=RECIPE["features"] | features)["features"]) >= set(features)


@settings(max_examples=50, deadline=None)
@given(
    st.sampled_from([8000, 16_000, 22_050, 44_100]),
    st.sampled_from([256, 512, 1024, 2048]),
    st.integers(8, 256),
    st.floats(0, 500),
)
def test_empty_bands_are_those_of_librosas_filters(sample_rate, n_fft, n_mels, fmin):
    with np.errstate(all="ignore"):
        filters = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=n_mels, fmin=fmin, htk=True, norm=None)
    empty = int((filters.max(axis=1) <= 1e-9).sum())
    assert abs(rules.empty_bands(sample_rate, n_fft, n_mels, fmin, sample_rate / 2) - empty) <= 1  # a bin on an edge
