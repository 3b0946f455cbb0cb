"""UltraEdit's own code, out of a checkout of XiaojieGu/UltraEdit, on the edits of check_editors.py.

The code is imported where it lies and not changed; only what it tells others about (Weights & Biases), how it is started
(Hydra, OmegaConf) and its scores (NLTK) have stand-ins. `METHODS[name](session, requests)` is as in plain_editors.py, but
notes nothing. A group is a turn. That code takes turns of whole tens: a group has a multiple of ten edits, or fewer than ten.
"""
import importlib
import json
import pathlib
import sys
import tempfile
import types
import unittest.mock

TOGETHER = 10  # dataset.batch_size of its config


def open_checkout(folder):
    """Makes its modules importable, which have no package of their own."""
    folder = pathlib.Path(folder).resolve()
    if not (folder / "editor" / "ultraedit.py").is_file():
        raise SystemExit(f"{folder}: expected a checkout of UltraEdit, found no editor/ultraedit.py")
    for name in ("wandb", "nltk", "omegaconf", "hydra"):
        sys.modules[name] = unittest.mock.MagicMock()
    sys.path.insert(0, str(folder))


def config_of(session, edits, cache):
    modules = [name.removesuffix(".weight") for name, _ in session.matrices()]
    named = types.SimpleNamespace
    return named(
        model=named(edit_modules=modules, name_or_path=session.tokenizer.name_or_path, name="model"),
        dataset=named(name="zsre", n_edits=edits, batch_size=min(edits, TOGETHER), num_seq=1),
        editor=named(name="ultraedit", lr=session.options["learning_rate"], batch_size=128, token="ans", cache_dir=cache),
        model_device=str(session.model.device), editor_device=str(session.model.device), num_seq=1)


def turn_of(config, session, requests, folder):
    """The batches that its loader would hand out."""
    path = pathlib.Path(folder) / "edits.json"
    path.write_text(json.dumps([{"src": request.prompt, "rephrase": request.prompt, "ans": request.target,
                                 "loc": request.prompt, "loc_ans": request.target} for request in requests]), encoding="utf-8")
    dataset = importlib.import_module("data.zsre").ZSREDataset(
        config.dataset, str(path), session.tokenizer, config.model_device)
    return dataset.collate_fn([dataset[i] for i in range(len(dataset))])["edit_tuples"]


def ultraedit(session, requests):
    if session.options.get("whiten") or session.options.get("ridge", 1) != 1:
        raise SystemExit("ultraedit: expected neither whiten nor another ridge than 1, which its authors do not have")
    if len(requests) > TOGETHER and len(requests) % TOGETHER:
        raise SystemExit(f"ultraedit: expected a turn of whole tens or of less than one, found {len(requests)} edits")
    weights = [linear.weight for _, linear in session.matrices()]
    for weight in weights:
        weight.requires_grad_(True)
    with tempfile.TemporaryDirectory() as folder:
        config = config_of(session, len(requests), folder)
        if "authors" not in session.prepared:
            session.prepared["authors"] = importlib.import_module("editor.ultraedit").ULTRAEDIT(config, session.model)
        editor = session.prepared["authors"]
        editor.config = config
        editor.cache(turn_of(config, session, requests, folder))
        editor.edit_model(editor.predict_param_shifts(), False)
    for weight in weights:
        weight.requires_grad_(False)
        weight.grad = None


METHODS = {"ultraedit": ultraedit}
