#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/stages/recipe/recipe_text.h"

namespace xkde::recipe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Line numbers in the expectations are those of this text.
const char* const kRecipe = R"(run_name: x
seed: 42
output_dir: runs/x
model: {model_name_or_path: models/tiny, dtype: bfloat16, chat_template: auto}
parallel:
  backend: auto
  shard: auto
  replicate: 1
  recompute: auto
  threads: 0
logging_steps: 5
stages:
  - build_data:
      sources:
        - benchmark: mzsre
          data: data/train
          edit_languages: [en]
          test_languages: [es, fr]
          records: "0:40"
          questions: [src, loc]
      without_edit: false
      max_samples: 0
  - sft:
      num_train_epochs: 2
      max_steps: -1
      learning_rate: 1.0e-4
      lr_scheduler_type: cosine
      warmup_steps: 0.05
      adam_beta1: 0.9
      packing: true
      save_total_limit: 2
      resume_from_checkpoint: auto
  - evaluate:
      benchmark: bmike53
      data: data/test
      edit_languages: [en]
      test_languages: [de]
      mode: single
      sizes: [1]
  - export:
      path: out
      dtype: float32
)";

struct Mistake {
  const char* part;     ///< of kRecipe
  const char* by;       ///< what stands there instead
  const char* message;  ///< begins with the place
};

/// Reads the recipe with the mistake; it must be the only one reported, in one line.
void expect_mistake(const Mistake& mistake) {
  const std::string text = with(kRecipe, mistake.part, mistake.by);
  ASSERT_NE(text, "") << mistake.part << " is not there once";

  const std::string message = error_of(text);

  EXPECT_THAT(message, HasSubstr(mistake.message)) << mistake.by;
  EXPECT_THAT(message, Not(HasSubstr("\n"))) << mistake.by;
}

TEST(RecipeMistakes, StartFromAValidRecipe) { EXPECT_EQ(error_of(kRecipe), ""); }

TEST(RecipeMistakes, ANameThatIsNotUtf8IsNotTakenFromTheFile) {
  const std::string text(kRecipe);
  const std::string nameless = text.substr(text.find('\n') + 1);
  EXPECT_THAT(error_of(nameless, {}, "runs/r\xFF.yaml"),
              HasSubstr("run_name: expected this key, as the recipe's own name is not UTF-8"));
  EXPECT_EQ(error_of(text, {}, "runs/r\xFF.yaml"), "");
}

TEST(RecipeMistakes, AnUnknownValueBringsNoOtherMistakes) {
  const std::string evaluate =
      "  - evaluate: {benchmark: bmike53, data: d, edit_languages: [en], test_languages: [de], ";
  const std::pair<std::string, const char*> stages[] = {
      {evaluate + "method: romee, editor: {layers: [1], clamp_norm: 0, lora_r: 2}, "
                  "prompt_language: native}\n",
       "evaluate.method: expected"},
      {evaluate + "method: ikee, demonstrations: {benchmark: mzsre, data: d}, retriever: "
                  "{model_name_or_path: e}}\n",
       "did you mean 'ike'?"},
      {evaluate + "mode: sequentail, sizes: [1, 5], eval_when: end, memory: pair, by_age: true, "
                  "seeds: [1], retriever: {model_name_or_path: e}}\n",
       "evaluate.mode: expected"},
      {evaluate + "sample: some, seeds: [1]}\n", "evaluate.sample: expected"},
      {"  - evaluate: {benchmark: wikiboi, data: d, averaging: lte}\n", "did you mean 'wikibio'?"},
      {"  - edit: {benchmark: wikiboi, data: d, method: rome}\n", "did you mean 'wikibio'?"},
      {"  - edit: {benchmark: mzsre, data: d, edit_languages: [en], method: rom, editor: {steps: "
       "2, "
       "covariance: c}}\n",
       "did you mean 'rome'?"},
      {"  - edit: {revert: tru}\n", "edit.revert: expected true or false"},
      {"  - build_data: {sources: [{benchmark: mzsr, data: d}]}\n", "did you mean 'mzsre'?"},
      {"  - rank: {samples: s.jsonl, reward: chrff, source_language: en, prefix: p}\n",
       "did you mean 'chrf'?"},
      {"  - export: {path: out, format: guff, gguf_type: Q4_0}\n", "export.format: expected"},
      {"  - orpo: {pairs: p.jsonl, max_length: many, max_prompt_length: 1000}\n",
       "orpo.max_length: expected"},
      {"  - orpo: {pairs: p.jsonl, eval_steps: many, early_stopping_patience: 2}\n",
       "orpo.eval_steps: expected"},
      {"  - smaple: {train_data: t.json}\n  - rank: {reward: chrf}\n",
       "unknown stage; expected build_data"},
      {"  - sft: {train_data: t.json, lora: {base: q9_0}}\n"
       "  - orpo: {pairs: p.jsonl, lora: {base: q8_0}}\n",
       "sft.lora.base: expected"},
  };
  for (const auto& [text, told] : stages) {
    const std::string message = error_of("model: {model_name_or_path: m}\nstages:\n" + text);

    EXPECT_THAT(message, HasSubstr(told)) << text;
    EXPECT_THAT(message, Not(HasSubstr("\n"))) << text;
  }
}

TEST(RecipeMistakes, AnAdapterHasItsOwnNamesOfPeftsKeys) {
  const std::string recipe(kRecipe);
  const auto message = [&](const std::string& lora) {
    return error_of(with(recipe, "  - sft:\n", "  - sft:\n      lora: {" + lora + "}\n"));
  };
  EXPECT_EQ(message("r: 8, alpha: 16, rslora: true, target_modules: [q_proj, v_proj]"), "");
  EXPECT_THAT(message("lora_alpha: 16"),
              HasSubstr("sft.lora.lora_alpha: unknown key; did you mean 'alpha'?"));
  EXPECT_THAT(message("r: 0"),
              HasSubstr("sft.lora.r: expected an integer from 1 to 65536, found 0"));
  EXPECT_THAT(message("dropout: 1.0"),
              HasSubstr("sft.lora.dropout: expected a number in [0, 1), found 1.0"));
  EXPECT_THAT(message("target_modules: q_proj"),
              HasSubstr("sft.lora.target_modules: expected a list"));
}

TEST(RecipeMistakes, MistypedKeysAreFoundWithASuggestion) {
  const Mistake mistakes[] = {
      {"run_name", "runname", "r.yaml:1:1: runname: unknown key; did you mean 'run_name'?"},
      {"seed:", "sed:", "r.yaml:2:1: sed: unknown key; did you mean 'seed'?"},
      {"output_dir", "out_dir", "r.yaml:3:1: out_dir: unknown key; did you mean 'output_dir'?"},
      {"logging_steps", "loging_steps", "r.yaml:11:1: loging_steps: unknown key; did you mean"},
      {"dtype: bfloat16", "dtpye: bfloat16",
       "r.yaml:4:42: model.dtpye: unknown key; did you mean 'dtype'?"},
      {"chat_template", "chat_templat", "r.yaml:4:59: model.chat_templat: unknown key; did you"},
      {"backend", "backends", "r.yaml:6:3: parallel.backends: unknown key; did you mean 'backend'"},
      {"recompute", "recompte", "r.yaml:9:3: parallel.recompte: unknown key; did you mean"},
      {"replicate: 1", "zebra: 1",
       "r.yaml:8:3: parallel.zebra: unknown key; expected backend, shard, replicate, recompute, "
       "prefetch, grad_reduce_dtype, offload_optimizer, deterministic, compare_copies, threads, "
       "timeout or heartbeat_timeout"},
      {"without_edit", "without_edits", "r.yaml:21:7: build_data.without_edits: unknown key; did"},
      {"questions", "question",
       "r.yaml:20:11: build_data.sources.0.question: unknown key; did you mean 'questions'?"},
      {"learning_rate", "learnig_rate",
       "r.yaml:26:7: sft.learnig_rate: unknown key; did you mean 'learning_rate'?"},
      {"learning_rate", "learningRate", "did you mean 'learning_rate'?"},
      {"learning_rate", "lr", "r.yaml:26:7: sft.lr: unknown key; did you mean 'learning_rate'?"},
      {"warmup_steps", "warmup_ratio",
       "r.yaml:28:7: sft.warmup_ratio: unknown key; did you mean "
       "'warmup_steps', where a value below 1 is a ratio?"},
      {"num_train_epochs", "epochs",
       "r.yaml:24:7: sft.epochs: unknown key; did you mean "
       "'num_train_epochs'?"},
      {"packing", "bf16", "r.yaml:30:7: sft.bf16: unknown key; model.dtype of the recipe says it"},
      {"max_steps", "max_step", "r.yaml:25:7: sft.max_step: unknown key; did you mean 'max_steps'"},
      {"sizes", "size", "r.yaml:39:7: evaluate.size: unknown key; did you mean 'sizes'?"},
      {"dtype: float32", "d_type: float32", "r.yaml:42:7: export.d_type: unknown key; did you"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, TrackersThatGetARunLaterAreTold) {
  const Mistake mistakes[] = {
      {"seed: 42", "report_to: [wandb]",
       "r.yaml:2:13: report_to.0: expected tensorboard, found wandb; `python -m xkde_results wandb "
       "RUN` hands a run over"},
      {"seed: 42", "report_to: [tensorboard, mlflow]",
       "report_to.1: expected tensorboard, found mlflow; `python -m xkde_results mlflow RUN`"},
      {"seed: 42", "report_to: wandb",
       "r.yaml:2:12: report_to: expected a list, each item tensorboard, found wandb; `python -m"},
      {"seed: 42", "report_to: [tensorbord]", "found tensorbord; did you mean 'tensorboard'?"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, KeysOfOtherProgramsAreToldWhatSaysTheSameHere) {
  const char* const last = "  - export:\n      path: out\n      dtype: float32";
  const Mistake mistakes[] = {
      {"num_train_epochs", "num_epochs", "sft.num_epochs: unknown key; did you mean 'num_train_ep"},
      {"packing: true", "evaluation_strategy: epoch",
       "sft.evaluation_strategy: unknown key; a stage evaluate behind this one asks the model"},
      {"packing: true", "eval_strategy: steps", "unknown key; a stage evaluate behind this one"},
      {"packing: true", "per_gpu_train_batch_size: 4",
       "unknown key; did you mean 'per_device_train_batch_size'?"},
      {"packing: true", "micro_batch_size: 4", "did you mean 'per_device_train_batch_size'?"},
      {"packing: true", "fp16: true", "sft.fp16: unknown key; model.dtype of the recipe says it"},
      {"packing: true", "gradient_checkpointing: true", "; parallel.recompute of the recipe says"},
      {"packing: true", "logging_steps: 5", "; it belongs to the top level of the recipe"},
      {"packing: true", "lora_alpha: 16", "sft.lora_alpha: unknown key; did you mean 'lora.alpha'"},
      {"packing: true", "lora_target: all", "did you mean 'lora.target_modules'?"},
      {"packing: true", "load_in_8bit: true", "did you mean 'lora.base'?"},
      {"packing: true", "cutoff_len: 512", "did you mean 'max_length'?"},
      {"packing: true", "save_strategy: epoch", "sft.save_strategy: unknown key; save_steps says"},
      {"packing: true", "deepspeed: z3.json", "; parallel.shard of the recipe says it"},
      {"packing: true", "push_to_hub: true", "; nothing is sent anywhere"},
      {"dtype: bfloat16", "torch_dtype: bfloat16", "model.torch_dtype: unknown key; did you mean"},
      {"dtype: bfloat16", "device_map: auto", "model.device_map: unknown key; mpirun sets the"},
      {"replicate: 1", "nproc_per_node: 8", "; mpirun -n N or srun sets the number of ranks"},
      {"logging_steps: 5", "learning_rate: 1.0e-5",
       "r.yaml:11:1: learning_rate: unknown key; it belongs to a stage that trains, sft or orpo"},
      {"logging_steps: 5", "bf16: true", "r.yaml:11:1: bf16: unknown key; model.dtype says it"},
      {"logging_steps: 5", "template: qwen", "template: unknown key; model.chat_template says it"},
      {"logging_steps: 5", "stage: sft", "; stages is the list of what is done"},
      {"dtype: float32", "torch_dtype: float32", "export.torch_dtype: unknown key; did you mean"},
      {last, "  - orpo: {pairs: p.jsonl, eval_strategy: steps}",
       "orpo.eval_strategy: unknown key; did you mean 'eval_steps'?"},
      {last, "  - orpo: {pairs: p.jsonl, pref_beta: 0.1}", "did you mean 'beta'?"},
      {last, "  - sample: {do_sample: true}", "; temperature: 0 takes the most probable"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, ValuesOfTheWrongKindAreFound) {
  const Mistake mistakes[] = {
      {"seed: 42", "seed: forty",
       "r.yaml:2:7: seed: expected an integer of at least 0, found forty"},
      {"seed: 42", "seed: -1", "r.yaml:2:7: seed: expected an integer of at least 0, found -1"},
      {"seed: 42", "seed: \"42\"", "found \"42\""},
      {"seed: 42", "seed: 4.2", "r.yaml:2:7: seed: expected an integer of at least 0, found 4.2"},
      {"seed: 42", "seed: [42]",
       "r.yaml:2:7: seed: expected an integer of at least 0, found a list"},
      {"seed: 42", "seed:", "r.yaml:2:1: seed: expected an integer of at least 0, found nothing"},
      {"run_name: x", "run_name: a/b", "r.yaml:1:11: run_name: expected a name that is not empty"},
      {"output_dir: runs/x", "output_dir: [a]",
       "r.yaml:3:13: output_dir: expected a path, found a"},
      {"output_dir: runs/x", "output_dir: ''",
       "r.yaml:3:13: output_dir: expected a path, found \"\""},
      {"logging_steps: 5", "logging_steps: 0",
       "r.yaml:11:16: logging_steps: expected a positive integer, found 0"},
      {"threads: 0", "compare_copies: -1",
       "r.yaml:10:19: parallel.compare_copies: expected an integer from 0 to 1000000, found -1"},
      {"threads: 0", "threads: many", "r.yaml:10:12: parallel.threads: expected an integer from 0"},
      {"without_edit: false", "without_edit: no",
       "r.yaml:21:21: build_data.without_edit: expected true or false, found no"},
      {"packing: true", "packing: 1", "r.yaml:30:16: sft.packing: expected true or false, found 1"},
      {"max_samples: 0", "max_samples: -5",
       "r.yaml:22:20: build_data.max_samples: expected an integer of at least 0, found -5"},
      {"num_train_epochs: 2", "num_train_epochs: 0",
       "r.yaml:24:25: sft.num_train_epochs: expected a positive number, found 0"},
      {"max_steps: -1", "max_steps: -2",
       "r.yaml:25:18: sft.max_steps: expected an integer of at least 0, or -1 for no limit"},
      {"1.0e-4", "1.0e-4.", "r.yaml:26:22: sft.learning_rate: expected a positive number, found"},
      {"1.0e-4", "nan", "r.yaml:26:22: sft.learning_rate: expected a positive number, found nan"},
      {"1.0e-4", ".inf", "found .inf"},
      {"1.0e-4", "1,5", "r.yaml:26:22: sft.learning_rate: expected a positive number, found 1,5"},
      {"warmup_steps: 0.05", "warmup_steps: 1.5",
       "r.yaml:28:21: sft.warmup_steps: expected a positive integer (steps) or a number in [0, 1)"},
      {"warmup_steps: 0.05", "warmup_steps: -3", "r.yaml:28:21: sft.warmup_steps: expected"},
      {"adam_beta1: 0.9", "adam_beta1: 1.0",
       "r.yaml:29:19: sft.adam_beta1: expected a number in [0, 1), found 1.0"},
      {"save_total_limit: 2", "save_total_limit: 0",
       "r.yaml:31:25: sft.save_total_limit: expected a positive integer, found 0"},
      {"save_total_limit: 2", "async_save: yes",
       "r.yaml:31:19: sft.async_save: expected true or false, found yes"},
      {"save_total_limit: 2", "keep_best: 1",
       "r.yaml:31:18: sft.keep_best: expected true or false, found 1"},
      {"path: out", "path: {a: b}", "r.yaml:41:13: export.path: expected a path, found a mapping"},
      {"\"0:40\"", "40",
       "r.yaml:19:20: build_data.sources.0.records: expected a slice "
       "\"begin:end\" as in Python, found 40"},
      {"\"0:40\"", "\"0:x\"", "r.yaml:19:20: build_data.sources.0.records: expected a slice"},
      {"\"0:40\"", "\"0:40:2\"", "found \"0:40:2\""},
      {"\"0:40\"", "-25:", "r.yaml:19:23: stages.0.build_data.sources.0: expected valid YAML"},
      {"[es, fr]", "es",
       "r.yaml:18:27: build_data.sources.0.test_languages: expected a list, each "
       "item a language code (en, cs or cz, de, nl or du, "},
      {"[es, fr]", "[es, xx]",
       "r.yaml:18:32: build_data.sources.0.test_languages.1: expected a "
       "language code (en, "},
      {"[es, fr]", "[es, es]",
       "r.yaml:18:32: build_data.sources.0.test_languages.1: expected each "
       "value once, found es again"},
      {"[es, fr]", "[cs, cz]",
       "r.yaml:18:27: build_data.sources.0.test_languages: expected each "
       "language once, found Czech twice"},
      {"[es, fr]", "[]", "r.yaml:18:27: build_data.sources.0.test_languages: expected a list"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, NamesThatAreNoneAreFoundWithASuggestion) {
  const Mistake mistakes[] = {
      {"dtype: bfloat16", "dtype: bfloat",
       "r.yaml:4:49: model.dtype: expected float32 or bfloat16, found bfloat; did you mean "
       "'bfloat16'?"},
      {"chat_template: auto", "chat_template: chat_ml",
       "r.yaml:4:74: model.chat_template: expected auto, chatml, chatml_helpful, chatml_no_system, "
       "llama2, gemma or "
       "plain, "
       "found chat_ml; did you mean 'chatml'?"},
      {"backend: auto", "backend: ncl",
       "r.yaml:6:12: parallel.backend: expected auto, mpi or nccl, found ncl; did you mean "
       "'nccl'?"},
      {"shard: auto", "shard: ful",
       "r.yaml:7:10: parallel.shard: expected auto, full, grads, optimizer or none, found "
       "ful; did you mean 'full'?"},
      {"recompute: auto", "recompute: yes",
       "r.yaml:9:14: parallel.recompute: expected auto, block or none, found yes"},
      {"benchmark: mzsre", "benchmark: mzrse",
       "r.yaml:15:22: build_data.sources.0.benchmark: expected bizsre, mzsre, bmike53, "
       "bizsre_train, mzsre_train, zsre, wikibio, recent, counterfact or facts, found mzrse; did "
       "you mean "
       "'mzsre'?"},
      {"[src, loc]", "[src, local]",
       "r.yaml:20:28: build_data.sources.0.questions.1: expected src, rephrase, loc or "
       "portability, found local"},
      {"cosine", "cosin",
       "r.yaml:27:26: sft.lr_scheduler_type: expected cosine, linear or "
       "constant, found cosin; did you mean 'cosine'?"},
      {"resume_from_checkpoint: auto", "resume_from_checkpoint: true",
       "r.yaml:32:31: sft.resume_from_checkpoint: expected auto or never, found true"},
      {"  - export:", "  - exprot:",
       "r.yaml:40:5: stages.3.exprot: unknown stage; expected "
       "build_data, sft, sample, rank, orpo, evaluate, capability, covariance, edit, quantize or "
       "export; did "
       "you mean 'export'?"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, EvaluationKeysMustAgree) {
  const Mistake mistakes[] = {
      {"mode: single", "mode: batch",
       "r.yaml:38:13: evaluate.mode: expected the key retriever beside it, found none"},
      {"mode: single", "mode: sequencial", "did you mean 'sequential'?"},
      {"benchmark: bmike53", "benchmark: wikibio",
       "r.yaml:37:23: evaluate.test_languages: expected [en], the only language of wikibio"},
      {"sizes: [1]", "sizes: [1, 10]", "r.yaml:39:14: evaluate.sizes: expected [1], the only size"},
      {"mode: single", "mode: batch\n      retriever: {model_name_or_path: m, k: 0}",
       "evaluate.retriever.k: expected a positive integer, found 0"},
      {"mode: single", "retriever: {model_name_or_path: m}",
       "evaluate.retriever: expected mode: batch or sequential, or demonstrations, beside this "
       "key, found neither"},
      {"mode: single", "eval_when: end",
       "evaluate.eval_when: expected mode: sequential beside this key, found single"},
      {"mode: single", "averaging: lte",
       "evaluate.averaging: expected a benchmark of KnowEdit beside this key, found bmike53"},
      {"mode: single",
       "retriever: {model_name_or_path: m}\n      demonstrations: {benchmark: bmike53, data: d}",
       "evaluate.demonstrations: expected method: ike or remake beside this key, found xkde"},
      {"mode: single", "extra_metrics: [f2]", "expected fluency, f1 or exact, found f2"},
      {"mode: single", "free_answers: {contexts: [chta]}",
       "evaluate.free_answers.contexts.0: expected question, instruction or chat, found chta"},
      {"mode: single", "free_answers: {scorers: [exat]}", "did you mean 'exact'?"},
      {"mode: single", "free_answers: {max_new_tokens: 0}",
       "evaluate.free_answers.max_new_tokens: expected a positive integer, found 0"},
      {"mode: single", "probes: [perona]", "did you mean 'persona'?"},
      {"test_languages: [de]", "test_languages: [la]\n      probes: [persona]",
       "evaluate.probes: expected test languages with templates (en, cs, de"},
      {"mode: single", "sample: 2",
       "evaluate.sample: expected the key seeds beside it, found none"},
      {"mode: single", "seeds: [1, 2]",
       "evaluate.seeds: expected the key sample beside it in mode "},
      {"mode: single", "seeds: [2, 2]\n      sample: 1",
       "evaluate.seeds.1: expected each value once, found 2 again"},
      {"mode: single", "by_age: true",
       "evaluate.by_age: expected mode: sequential and eval_when: end or at_sizes beside true, "
       "found "
       "single"},
      {"mode: single",
       "mode: sequential\n      eval_when: immediate\n      by_age: true\n"
       "      retriever: {model_name_or_path: m}",
       "found sequential and immediate"},
      {"test_languages: [de]", "test_languages: [la]\n      free_answers: {}",
       "evaluate.free_answers: contexts: expected test languages with an instruction (en, cs, "},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, EditorKeysBelongToTheirMethods) {
  const Mistake mistakes[] = {
      {"mode: single", "editor: {}",
       "r.yaml:38:7: evaluate.editor: expected a method that writes weights beside this key, found "
       "xkde"},
      {"mode: single", "method: rom", "found rom; did you mean 'rome'?"},
      {"mode: single", "method: rome\n      editor: {epochs: 2}",
       "evaluate.editor.epochs: expected method: locft_bf beside this key, found rome"},
      {"mode: single",
       "method: ft_m\n      demonstrations: {benchmark: mzsre, data: d}\n"
       "      retriever: {model_name_or_path: m}",
       "evaluate.demonstrations: expected method: ike or remake beside this key, found ft_m"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, PreferenceStagesNeedWhatTheyReadAndKeysThatAgree) {
  const char* const last = "  - export:\n      path: out\n      dtype: float32";
  const Mistake mistakes[] = {
      {last, "  - rank: {}",
       "rank.samples: expected a sample stage above this one, or a file, found none"},
      {last, "  - orpo: {}",
       "orpo.pairs: expected a rank stage above this one, or a file, found none"},
      {last, "  - rank: {samples: s.jsonl, reward: nllb}",
       "rank.reward: expected model_name_or_path beside reward: nllb, found none"},
      {last, "  - rank: {samples: s.jsonl, model_name_or_path: x}",
       "expected reward: nllb or encoder beside this key, found chrf"},
      {last, "  - rank: {samples: s.jsonl, source_language: eng_Latn}",
       "rank.source_language: expected reward: nllb beside this key, found chrf"},
      {last, "  - rank: {samples: s.jsonl, reward: bleu}",
       "rank.reward: expected nllb, chrf or encoder, found bleu"},
      {last, "  - orpo: {pairs: p.jsonl, max_prompt_length: 600}",
       "orpo.max_prompt_length: expected less than max_length, found 600 and 512"},
      {last, "  - orpo: {pairs: p.jsonl, eval_steps: 30}",
       "orpo.save_steps: expected 0 or a multiple of eval_steps (30), found 100"},
      {last, "  - orpo: {pairs: p.jsonl, eval_steps: 0, early_stopping_patience: 2}",
       "orpo.early_stopping_patience: expected eval_steps above 0 beside this key, found 0"},
      {last, "  - orpo: {pairs: p.jsonl, lambda: 0.1}",
       "orpo.lambda: unknown key; did you mean 'beta'?"},
      {last, "  - sample: {n: 5}", "sample.n: unknown key; did you mean 'num_return_sequences'?"},
      {last, "  - sample: {top_p: 0}", "sample.top_p: expected a number in (0, 1], found 0"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, ExportsNeedKeysThatAgree) {
  const char* const keys = "path: out\n      dtype: float32";
  const Mistake mistakes[] = {
      {keys, "path: out\n      format: ggml",
       "r.yaml:42:15: export.format: expected huggingface or gguf, found ggml"},
      {keys, "path: out\n      format: gguf\n      gguf_type: Q9",
       "r.yaml:43:18: export.gguf_type: expected F32, BF16, Q8_0, Q4_0 or Q4_K_M, found Q9"},
      {keys, "path: out\n      format: gguf\n      dtype: float32",
       "export.dtype: expected format: huggingface beside this key, found gguf"},
      {keys, "path: out\n      gguf_type: F32",
       "export.gguf_type: expected format: gguf beside this key, found huggingface"},
      {keys, "adapter: out\n      format: gguf",
       "export.format: expected path beside format: gguf, found none"},
  };
  for (const Mistake& mistake : mistakes) expect_mistake(mistake);
}

TEST(RecipeMistakes, WrongStructureIsFound) {
  const Mistake mistakes[] = {
      {"model: {model_name_or_path: models/tiny, ", "model: {",
       "r.yaml:4:1: model.model_name_or_path: expected a path, found no such key"},
      {"          data: data/train\n", "",
       "r.yaml:15:11: build_data.sources.0.data: expected a path, found no such key"},
      {"  - export:\n      path: out\n", "  - export:\n",
       "r.yaml:40:5: export.path: expected a path, found no such key"},
      {"  - export:\n      path: out\n      dtype: float32", "  - export",
       "r.yaml:40:5: stages.3: expected a mapping (key: value), found export"},
      {"  - export:\n      path: out\n      dtype: float32", "  - export:\n    path: out",
       "r.yaml:40:5: stages.3: expected one stage (name: its keys, indented below it), found 2 "
       "keys"},
      {"  - export:\n      path: out\n      dtype: float32", "  - export: [out]",
       "r.yaml:40:13: stages.3.export: expected a mapping (key: value), found a list of 1"},
      {"  - build_data:\n", "  - build_data:\n      sources: {}\n",
       "r.yaml:15:7: stages.0.build_data.sources: expected each key once, found it again (first in "
       "line 14)"},
      {"learning_rate: 1.0e-4",
       "train_data: build_data\n      per_device_train_batch_size: 2\n"
       "      global_batch_size: 8",
       "r.yaml:27:36: sft.per_device_train_batch_size: expected global_batch_size or this key, "
       "found both"},
      {"  shard: auto\n  replicate: 1", "  shard: none\n  replicate: 2",
       "r.yaml:8:14: parallel.replicate: expected no such key with shard: none, found 2; every "
       "rank "
       "is a copy then"},
      {"  recompute: auto", "  recompute: auto\n  prefetch: 9",
       "r.yaml:10:13: parallel.prefetch: expected an integer from -1 to 8, found 9"},
  };
  for (const Mistake& mistake : mistakes) {
    const std::string text = with(kRecipe, mistake.part, mistake.by);
    ASSERT_NE(text, "") << mistake.part;
    EXPECT_THAT(error_of(text), HasSubstr(mistake.message)) << mistake.by;
  }
}

TEST(RecipeMistakes, RecipeNeedsAModelAndStages) {
  EXPECT_EQ(error_of("seed: 1\n"),
            "r.yaml: 2 errors\n"
            "r.yaml:1:1: model.model_name_or_path: expected a path, found no such key\n"
            "r.yaml:1:1: stages: expected a list of mappings, found no such key");
  EXPECT_EQ(error_of("model: {model_name_or_path: m}\nstages: []\n"),
            "r.yaml:2:9: stages: expected a list of mappings, found a list of 0");
}

TEST(RecipeMistakes, TrainingOnBuiltDataNeedsAStageThatBuildsIt) {
  EXPECT_EQ(error_of("model: {model_name_or_path: m}\nstages:\n  - sft: {max_steps: 1}\n"),
            "r.yaml:3:5: sft.train_data: expected a build_data stage above this one, or a file, "
            "found none");
  EXPECT_EQ(error_of("model: {model_name_or_path: m}\nstages:\n  - sft: {train_data: f.json}\n"),
            "");
}

TEST(RecipeMistakes, AreReportedAllAtOnceInTheOrderOfTheFile) {
  std::string text = with(kRecipe, "seed: 42", "seed: x");
  text = with(text, "backend: auto", "backend: gloo");
  text = with(text, "learning_rate: 1.0e-4", "learnig_rate: 1.0e-4");
  text = with(text, "packing: true", "packing: on\n      packing: off");
  text = with(text, "path: out", "pat: out");

  EXPECT_EQ(error_of(text),
            "r.yaml: 7 errors\n"
            "r.yaml:2:7: seed: expected an integer of at least 0, found x\n"
            "r.yaml:6:12: parallel.backend: expected auto, mpi or nccl, found gloo\n"
            "r.yaml:26:7: sft.learnig_rate: unknown key; did you mean 'learning_rate'?\n"
            "r.yaml:30:16: sft.packing: expected true or false, found on\n"
            "r.yaml:31:7: stages.1.sft.packing: expected each key once, found it again (first in "
            "line 30)\n"
            "r.yaml:41:5: export.path: expected a path, found no such key\n"
            "r.yaml:42:7: export.pat: unknown key; did you mean 'path'?");
}

}  // namespace
}  // namespace xkde::recipe
