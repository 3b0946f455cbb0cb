"""What the comparisons of XE-IT training share: their arguments, samples, recipe, and runs of our side."""
import math
import pathlib

import common

QUESTIONS = (("src", "alt"), ("rephrase", "alt"), ("loc", "loc_ans"))
WEIGHT_DECAY, BETAS, MAX_NORM = 1e-4, (0.9, 0.95), 1.0


def add_arguments(parser, records):
    common.add_common_arguments(parser)
    parser.add_argument("--test", nargs="+", default=["es", "fr", "de"], help="test languages")
    parser.add_argument("--records", type=int, default=records, help="rows of each language")
    parser.add_argument("--batch", type=int, default=8, help="samples of a step")
    parser.add_argument("--learning-rate", type=float, default=1e-4)


def encode(tokenizer, user, answer):
    text = tokenizer.apply_chat_template([{"role": "user", "content": user}], add_generation_prompt=True, tokenize=False)
    prompt, target = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (text, answer))
    return prompt, target + [tokenizer.eos_token_id]


def samples_of(options, tokenizer):
    """Of every language in turn: the ids of each question's prompt and of its answer. More than one step of them."""
    samples = []
    for test in options.test:
        iso = common.iso_of(test)
        for _, edit_side, side in common.load_rows(options.data, common.iso_of(options.edit), iso, options.records):
            samples += [encode(tokenizer, common.edit_prompt(edit_side, side[question], iso), side[answer])
                        for question, answer in QUESTIONS]
    if len(samples) <= options.batch:
        raise SystemExit(f"--records: expected more than one step of {options.batch} samples, found {len(samples)}")
    return samples


def warmup_steps(steps):
    return math.ceil(0.05 * steps)


def recipe_for(options, dtype, num_samples, sft):
    """One epoch over the samples in steps of a batch; `sft` has further keys of the stage."""
    if options.batch % options.ranks:
        raise SystemExit(f"--ranks: expected a divisor of the batch of {options.batch}, found {options.ranks}")
    source = {"benchmark": options.benchmark, "data": str(pathlib.Path(options.data).resolve()),
              "edit_languages": [options.edit], "test_languages": options.test, "records": f"0:{options.records}",
              "questions": [question for question, _ in QUESTIONS]}
    keys = {"train_data": "build_data", "num_train_epochs": 1, "per_device_train_batch_size": options.batch // options.ranks,
            "gradient_accumulation_steps": 1, "learning_rate": options.learning_rate, "lr_scheduler_type": "cosine",
            "warmup_steps": warmup_steps(math.ceil(num_samples / options.batch)), "weight_decay": WEIGHT_DECAY,
            "adam_beta1": BETAS[0], "adam_beta2": BETAS[1], "max_grad_norm": MAX_NORM}
    return common.base_recipe(options, dtype) | {"stages": [{"build_data": {"sources": [source]}}, {"sft": keys | sft}]}


def run(product, recipe):
    """What a run of ours says of its steps. The first one is not timed. `peak` and `baseline` are the resident sets of the
    largest rank: at its highest, and before its model was built."""
    folder, path = product.run(recipe)
    steps = common.json_lines(next(path.glob("*-sft")) / "metrics.jsonl")
    folder.cleanup()
    return {"samples": sum(s["samples"] for s in steps[1:]), "seconds": sum(s["step_seconds"] for s in steps[1:]),
            "losses": [s["loss"] for s in steps], "peak": steps[-1]["peak_bytes"], "baseline": steps[-1]["baseline_bytes"]}
