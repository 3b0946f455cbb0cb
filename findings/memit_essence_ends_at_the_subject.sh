#!/usr/bin/env bash
# What: MEMIT's and ROME's papers keep a subject's essence by a KL divergence of what the model says behind "{subject} is a".
# The code that the field uses looks one step earlier: at the token that follows the subject itself, so that " is a"
# stands in the prompt and never counts. The divergence is that of the edited from the clean model, as in the papers;
# torch's kl_div takes its target last, so that the call reads the other way round. Three edits by MEMIT that looked behind
# "is a" changed SmolLM2-135M-Instruct otherwise by 60 % of the change's norm. No message, option or page says so.
# Seen with: easyeditor 0.0.1.dev0 (PyPI), torch 2.11.0, transformers 4.46.3, a random Llama of two layers: the first
#   distribution that the divergence is given is the clean model's at the subject's last token (difference 0), not at
#   "a" (4.2); with another word in the place of "a" it is the same (0). EasyEdit's repository has the
#   same lines at 14cea82 (July 2026), in ROME, MEMIT, EMMET and AlphaEdit.
# Way out: whoever writes MEMIT from the paper and compares numbers must do as the code does, or say that it does not.
# Needs: python3 with pip. The package asks for "cuda:0"; here its copy in the temporary folder is made to take "cpu".
# Downloads some 3 GB into a temporary folder.
set -euo pipefail

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
pip() { "$work/venv/bin/pip" --quiet --disable-pip-version-check "$@"; }
pip install torch==2.11.0 numpy==2.3.5 transformers==4.46.3 pyyaml==6.0.3
pip install --no-deps easyeditor==0.0.1.dev0
package="$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')/easyeditor"
sed -i 's/f"cuda:{hparams.device}"/"cpu"/g' "$package"/models/memit/*.py
cat >"$work/essence.py" <<'PY'
import contextlib
import importlib
import io
import pathlib
import sys
import types

import tokenizers
import torch
import transformers

package = pathlib.Path(sys.argv[1])
# Its own __init__ files import every method and their libraries.
for name in ("easyeditor", "easyeditor.models", "easyeditor.models.memit", "easyeditor.models.rome", "easyeditor.util"):
    module = types.ModuleType(name)
    module.__path__ = [str(package.joinpath(*name.split(".")[1:]))]
    sys.modules[name] = module
memit = importlib.import_module("easyeditor.models.memit.compute_z")
hparams = importlib.import_module("easyeditor.models.memit.memit_hparams")

WORDS = "<pad> Who leads Arlo Bay ? Mina Oder is a the So".split()
words = tokenizers.Tokenizer(tokenizers.models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<pad>"))
words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="<pad>", unk_token="<pad>")
torch.manual_seed(0)
model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
    vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
    initializer_range=0.5)).eval()

settings = hparams.MEMITHyperParams(
    layers=[0], layer_selection="all", fact_token="subject_last", v_num_grad_steps=3, v_lr=0.5, v_loss_layer=1,
    v_weight_decay=0.0, clamp_norm_factor=4, kl_factor=0.0625, mom2_adjustment=False, mom2_update_weight=1.0,
    rewrite_module_tmp="model.layers.{}.mlp.down_proj", layer_module_tmp="model.layers.{}",
    mlp_module_tmp="model.layers.{}.mlp", attn_module_tmp="model.layers.{}.self_attn", ln_f_module="model.norm",
    lm_head_module="lm_head", mom2_dataset="", mom2_n_samples=0, mom2_dtype="float32", alg_name="MEMIT", device=0,
    model_name="llama", stats_dir="")
request = {"prompt": "Who leads {} ?", "subject": "Arlo Bay", "target_new": " Mina"}

seen = []
plain = torch.nn.functional.kl_div


def watched(first, second, **options):
    seen.append((first.detach()[0], second.detach()[0]))
    return plain(first, second, **options)


def clean(text, place):
    with torch.no_grad():
        return model(**tokenizer(text, return_tensors="pt", return_token_type_ids=False)).logits[0, place].log_softmax(-1)


torch.nn.functional.kl_div = watched
ask = tokenizer.__class__.__call__
tokenizer.__class__.__call__ = lambda self, *a, **k: ask(self, *a, **{"return_token_type_ids": False, **k})
with contextlib.redirect_stdout(io.StringIO()):
    memit.compute_z(model, tokenizer, request, settings, 0, [["{}"]])
at_subject, at_end = clean("Arlo Bay is a", 1), clean("Arlo Bay is a", 3)
first = seen[0][0]
differences = [(first - other).abs().max().item() for other in (at_subject, at_end, clean("Arlo Bay is the", 1))]
print("the clean distribution against that at the subject, at \"a\", at the subject with another ending:",
      *(f"{difference:.2g}" for difference in differences))
stays = all(torch.equal(one[0], first) for one in seen)
moves = (seen[-1][1] - first).abs().max().item()
print(f"first argument, the clean one, stays: {stays}; second argument, the edited one, has moved by {moves:.2g}")
if not (differences[0] < 1e-5 and differences[2] < 1e-5 and differences[1] > 0.1 and stays and moves > 1e-3):
    sys.exit("another behaviour than the one that was seen")
PY
"$work/venv/bin/python" "$work/essence.py" "$package"
