"""EasyEdit's own FT, ROME, MEMIT, EMMET and AlphaEdit, out of a checkout of its repository, on the edits of check_editors.py.

The code is imported where it lies and not changed. Given to it are what a run of ours used: settings, contexts and second
moments, in the place of those that it would make or download itself. `METHODS[name](session, requests)` is as in
plain_editors.py, but notes nothing except for the losses of FT.
"""
import contextlib
import importlib
import io
import pathlib
import re
import sys
import types

import torch

LLAMA = {"rewrite_module_tmp": "model.layers.{}.mlp.down_proj", "layer_module_tmp": "model.layers.{}",
         "mlp_module_tmp": "model.layers.{}.mlp", "attn_module_tmp": "model.layers.{}.self_attn",
         "ln_f_module": "model.norm"}


def open_checkout(folder):
    """Makes `easyeditor` importable part by part: its own __init__ files import every method and their many libraries."""
    package = pathlib.Path(folder).resolve() / "easyeditor"
    if not (package / "models" / "memit" / "memit_main.py").is_file():
        raise SystemExit(f"{folder}: expected a checkout of EasyEdit, found no easyeditor/models/memit/memit_main.py")
    for name in ("easyeditor", "easyeditor.models", "easyeditor.util"):
        module = types.ModuleType(name)
        module.__path__ = [str(package.joinpath(*name.split(".")[1:]))]
        sys.modules[name] = module


def part(name):
    return importlib.import_module(f"easyeditor.models.{name}")


def settings_of(session, kind, **more):
    options, tokenizer = session.options, session.tokenizer
    tokenizer.padding_side, tokenizer.pad_token = "right", tokenizer.pad_token or tokenizer.eos_token
    head = "model.embed_tokens" if session.model.config.tie_word_embeddings else "lm_head"
    return kind(**LLAMA, lm_head_module=head, **more, layers=[layer for layer, _ in options["matrices"]], fact_token="subject_last",
                v_num_grad_steps=options["steps"], v_lr=options["learning_rate"],
                v_loss_layer=len(session.blocks) - 1, v_weight_decay=options["weight_decay"],
                clamp_norm_factor=options["clamp_norm"], kl_factor=options["kl_factor"], mom2_dataset="", mom2_n_samples=0,
                mom2_dtype="float32", device=str(session.model.device), model_name="llama", stats_dir="")


def rows_of(requests):
    return [{"prompt": request.prompt, "subject": request.subject, "target_new": request.target, "case_id": number}
            for number, request in enumerate(requests)]


@contextlib.contextmanager
def quiet():
    with contextlib.redirect_stdout(io.StringIO()) as said:
        yield said


def layer_of(module_name):
    return int(module_name.split(".layers.")[1].split(".")[0])


def fine_tuning(objective, padding_side):
    def edit(session, requests):
        main, options, tokenizer = part("ft.ft_main"), session.options, session.tokenizer
        # FT-L leaves out of its loss what is the unknown token, and means the padding.
        tokenizer.padding_side, tokenizer.pad_token = padding_side, tokenizer.unk_token or tokenizer.eos_token
        modules = LLAMA | {"rewrite_module_tmp": LLAMA["rewrite_module_tmp"] + ".weight"}
        settings = main.FTHyperParams(
            **modules, lm_head_module="lm_head", layers=[layer for layer, _ in options["matrices"]], num_steps=options["steps"],
            lr=options["learning_rate"], weight_decay=0, kl_factor=0, norm_constraint=options["norm_limit"] or False,
            device=str(session.model.device), alg_name="FT", model_name="llama", objective_optimization=objective,
            batch_size=options["batch_size"])
        with quiet() as said:
            main.apply_ft_to_model(session.model, tokenizer, rows_of(requests), settings)
        session.model.requires_grad_(False)
        return {"losses": [float(loss) for loss in re.findall(r"^Batch loss (.*)$", said.getvalue(), re.MULTILINE)]}
    return edit


def rome(session, requests):
    main = part("rome.rome_main")
    main.CONTEXT_TEMPLATES_CACHE = session.templates
    settings = settings_of(session, main.ROMEHyperParams, alg_name="ROME", mom2_adjustment=False,
                           context_template_length_params=[])
    for row in rows_of(requests):
        with quiet():
            main.apply_rome_to_model(session.model, session.tokenizer, [row], settings)


def solving_part(name, session):
    """The module of an editor that solves with second moments, with the session's contexts and moments in it."""
    main = part(name)
    main.CONTEXT_TEMPLATES_CACHE = [session.templates[:1], session.templates[1:]]
    main.get_cov = lambda model, tok, name, *_, **__: session.covariance[layer_of(name)].float()
    return main


def memit(session, requests):
    main = solving_part("memit.memit_main", session)
    settings = settings_of(session, main.MEMITHyperParams, alg_name="MEMIT", layer_selection="all", mom2_adjustment=True,
                           mom2_update_weight=session.options["cov_weight"])
    with quiet():
        main.apply_memit_to_model(session.model, session.tokenizer, rows_of(requests), settings)


def emmet(session, requests):
    main = solving_part("emmet.emmet_main", session)
    settings = settings_of(session, main.EMMETHyperParams, alg_name="EMMET", layer_selection="all", mom2_adjustment=True,
                           mom2_update_weight=1, update_norm_lambda=0, emmet_lambda=session.options["emmet_lambda"])
    with quiet():
        main.apply_emmet_to_model(session.model, session.tokenizer, rows_of(requests), settings)


def alphaedit(session, requests):
    main = solving_part("alphaedit.AlphaEdit_main", session)
    settings = settings_of(session, main.AlphaEditHyperParams, alg_name="AlphaEdit", layer_selection="all",
                           mom2_adjustment=True, mom2_update_weight=0.0, P_loc=__file__, L2=session.options["l2"],
                           nullspace_threshold=session.options["null_threshold"])
    is_first = "easyedit" not in session.prepared
    with quiet():
        if is_first:  # else it writes its projections into the working folder
            main.P = torch.stack([main.get_project(session.model, session.tokenizer, layer, settings)
                                  for layer in settings.layers])
            main.P_loaded = session.prepared["easyedit"] = True
        main.apply_AlphaEdit_to_model(session.model, session.tokenizer, rows_of(requests), settings, reset_cache=is_first)


METHODS = {
    "ft_l": fine_tuning("prompt_last", "right"),
    "ft_m": fine_tuning("target_new", "left"),
    "rome": rome,
    "memit": memit,
    "emmet": emmet,
    "alphaedit": alphaedit,
}
