#include "launch/command_line.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"
#include "stages/recipe/did_you_mean.h"
#include "stages/recipe/errors.h"

namespace xkde {
namespace {

constexpr std::string_view kHelp =
    R"(xkde_dist: cross-lingual knowledge editing of language models, on one rank or many

Usage: [mpirun -n N] xkde_dist RECIPE.yaml [key.path=value ...]
       xkde_dist validate RECIPE.yaml [key.path=value ...]
       xkde_dist estimate RECIPE.yaml [-n N] [--machine NAME] [key.path=value ...]
       xkde_dist ask RECIPE.yaml [--lang CODE] [--memory FILE] [-k N] [key.path=value ...] ["question"]
       xkde_dist report RUN [RUN ...] [--out FILE]
       xkde_dist env
       xkde_dist ckpt ls PATH
       xkde_dist ckpt verify PATH
       xkde_dist ckpt export CHECKPOINT OUT_DIR --model MODEL [--dtype bfloat16|float32]
       xkde_dist --help | --version

Commands:
  RECIPE.yaml          run the stages of the recipe, one after another; what is complete is skipped, what
                       was interrupted goes on. Without mpirun or srun it runs as one rank
  validate RECIPE.yaml check the recipe and open its inputs; reports every mistake at once
  estimate RECIPE.yaml what a run on N ranks would hold and take: tokens, shards, bytes of a rank by kind,
                       time of a step; a recipe that does not fit is refused with the keys that would help
  ask RECIPE.yaml      what the recipe's model (after its training, which must be done) answers with the edits
                       of its last evaluate stage in memory, and which facts it was shown; without a
                       question it reads them from standard input, a line each, and edits to remember
  report RUN [RUN ...] the results of runs side by side, as text and as one page, report.html (--out FILE), with
                       a .csv beside it; of one run: its own report.html, results.csv and report/ again
  env                  versions of everything, for a bug report
  ckpt ls PATH         list the checkpoints in a folder
  ckpt verify PATH     check the sizes and SHA-256 of a checkpoint's files, or of the newest in a folder
  ckpt export CHECKPOINT OUT_DIR
                       write a checkpoint of any number of ranks as a Hugging Face folder, in one process;
                       --model is the Hugging Face folder or .gguf file that the training began with

Arguments:
  key.path=value       sets a key of the recipe, a later one wins. Stages go by name (sft.max_steps=10),
                       or by position from 0 (stages.1.max_steps=10) where a name is there twice;
                       lists are written [a,b]

Options:
  -n N                 estimate: ranks (default 1)
  --machine NAME       estimate: here (default: the CPU of this host, measured now) or GPU nodes by nominal
                       rates: h100, h100_one_nic, h200, a100_40
  --lang CODE          ask: language of the questions (default: the recipe's first test language)
  --memory FILE        ask: an edit memory (HDF5) to open, and to add edits to; made when it is not there
  --encoder DIR        ask: sentence encoder, where the recipe has no retriever
  -k N                 ask: facts in a context, at most
  --out FILE           report: the page that is written for several runs
  --model MODEL        ckpt export: where config and tokenizer come from
  --dtype DTYPE        ckpt export: bfloat16 (default) or float32
  -h, --help           this text
  --version            name and version

Examples:
  xkde_dist recipes/quickstart.yaml
  mpirun -n 2 xkde_dist recipes/quickstart.yaml
  mpirun -n 8 xkde_dist recipe.yaml sft.learning_rate=5e-6 'evaluate.test_languages=[de,zh]'
  xkde_dist validate recipe.yaml model.dtype=float32
  xkde_dist estimate recipes/paper/xeit_llama2_7b.yaml -n 8 --machine h100
  xkde_dist ask recipe.yaml --lang fr "Quelle organisation exploite l'observatoire Marlow Tide ?"
  xkde_dist ckpt verify runs/quickstart/02-sft/checkpoints/step-00000100
  xkde_dist ckpt export runs/quickstart/02-sft/checkpoints out --model models/SmolLM2-135M-Instruct

Exit codes:
   0  done                              71  out of memory, host or device
  64  bad command line                  74  disk full, or I/O error while writing
  65  bad data or model file            75  stopped on request, checkpoint saved: start it again
  66  missing input                     78  bad recipe
  69  no usable GPU, NCCL or MPI        80  training diverged
  70  a bug in this program             81  a peer died, or a collective timed out
                                        82  no checkpoint that verifies
)";

constexpr const char* kSeeHelp = " (see xkde_dist --help)";

const std::vector<std::string>& command_names() {
  static const std::vector<std::string> kNames{"validate", "estimate", "ask",
                                               "report",   "env",      "ckpt"};
  return kNames;
}

[[noreturn]] void fail(const std::string& what) { throw UsageError(what + kSeeHelp); }

std::string quoted(const std::string& word) { return "'" + recipe::printable(word) + "'"; }

/// Adds "RECIPE [key.path=value ...]" to a command.
void add_recipe_arguments(CLI::App& app, std::vector<std::string>& words) {
  app.add_option("recipe", words, "a recipe, then key.path=value");
}

/// Refuses options that nobody defined and words too many.
void check_remaining(const CLI::App& app) {
  const std::vector<std::string> remaining = app.remaining(true);
  if (remaining.empty()) return;
  const std::string& word = remaining.front();
  if (!word.starts_with('-')) fail("unexpected argument " + quoted(word));
  const std::string name = word.substr(0, word.find('='));
  if (word.find('=') != std::string::npos && word.find('.') != std::string::npos)
    fail("unknown option " + quoted(word) + "; keys of a recipe are set without dashes");
  fail("unknown option " + quoted(name) + recipe::did_you_mean(name, {"--help", "--version"}));
}

/// "a.b=c", and not "What is a = b?".
bool sets_a_key(const std::string& word) {
  const size_t equals = word.find('=');
  return equals != std::string::npos && equals > 0 &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == equals;
}

/// The recipe and its overrides from the words of a command.
std::pair<std::filesystem::path, std::vector<std::string>> split_words(
    const std::vector<std::string>& words, const std::string& command) {
  if (words.empty() || words.front().empty()) fail(command + ": expected a recipe, found none");
  const auto is_override = [](const std::string& word) {
    const size_t equals = word.find('=');
    return equals != std::string::npos && equals > 0;
  };
  const std::string& first = words.front();
  if (is_override(first) && !first.ends_with(".yaml"))
    fail(command + ": expected a recipe before the overrides, found " + quoted(first));
  for (size_t i = 1; i < words.size(); ++i) {
    if (is_override(words[i])) continue;
    std::string hint;
    // "xkde_dist valdate recipe.yaml" reads as a recipe and a word too many.
    if (i == 1) hint = recipe::did_you_mean(first, command_names());
    fail(command + ": expected key.path=value after the recipe, found " + quoted(words[i]) + hint);
  }
  return {first, {words.begin() + 1, words.end()}};
}

/// CLI11's commands and what they fill.
class Parser {
 public:
  Parser() {
    app_.set_help_flag();
    app_.add_flag("-h,--help", is_help_, "");
    app_.add_flag("--version", is_version_, "");
    add_recipe_arguments(app_, run_words_);
    validate_ = add_command(app_, "validate");
    add_recipe_arguments(*validate_, validate_words_);
    estimate_ = add_command(app_, "estimate");
    add_recipe_arguments(*estimate_, estimate_words_);
    estimate_->add_option("-n", ranks_, "")->check(CLI::Range(1, 1 << 20));
    estimate_->add_option("--machine", machine_, "");
    ask_ = add_command(app_, "ask");
    add_recipe_arguments(*ask_, ask_words_);
    ask_->add_option("--lang", ask_options_.language, "");
    ask_->add_option("--memory", ask_options_.memory, "");
    ask_->add_option("--encoder", ask_options_.encoder, "");
    ask_->add_option("-k", ask_options_.k, "")->check(CLI::Range(1, 1 << 20));
    report_ = add_command(app_, "report");
    report_->add_option("runs", report_words_, "");
    report_->add_option("--out", report_out_, "");
    env_ = add_command(app_, "env");
    ckpt_ = add_command(app_, "ckpt");
    ckpt_ls_ = add_command(*ckpt_, "ls");
    ckpt_ls_->add_option("path", path_, "");
    ckpt_verify_ = add_command(*ckpt_, "verify");
    ckpt_verify_->add_option("path", path_, "");
    ckpt_export_ = add_command(*ckpt_, "export");
    ckpt_export_->add_option("path", path_, "");
    ckpt_export_->add_option("out", out_, "");
    ckpt_export_->add_option("--model", model_, "");
    ckpt_export_->add_option("--dtype", dtype_, "")->check(CLI::IsMember({"bfloat16", "float32"}));
    app_.allow_extras();
  }

  Command parse(int argc, const char* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
      fail(recipe::printable(error.what(), 200));
    }
    if (is_help_) return HelpCommand{};
    if (is_version_) return VersionCommand{};
    check_checkpoint_command();
    check_remaining(app_);
    if (validate_->parsed()) {
      auto [recipe, overrides] = split_words(validate_words_, "validate");
      return ValidateCommand{std::move(recipe), std::move(overrides)};
    }
    if (estimate_->parsed()) {
      auto [recipe, overrides] = split_words(estimate_words_, "estimate");
      return EstimateCommand{std::move(recipe), std::move(overrides), ranks_, machine_};
    }
    if (ask_->parsed()) return ask_command();
    if (report_->parsed()) return report_command();
    if (env_->parsed()) return EnvCommand{};
    if (ckpt_->parsed()) return checkpoint_command();
    auto [recipe, overrides] = split_words(run_words_, "xkde_dist");
    return RunCommand{std::move(recipe), std::move(overrides)};
  }

 private:
  CLI::App* add_command(CLI::App& parent, const std::string& name) {
    CLI::App* command = parent.add_subcommand(name, "");
    command->set_help_flag();
    command->add_flag("-h,--help", is_help_, "");
    command->allow_extras();
    return command;
  }

  void check_checkpoint_command() const {
    if (!ckpt_->parsed() || !ckpt_->get_subcommands().empty()) return;
    const std::vector<std::string> words = ckpt_->remaining();
    if (words.empty()) fail("ckpt: expected ls, verify or export, found none");
    fail("ckpt: expected ls, verify or export, found " + quoted(words.front()) +
         recipe::did_you_mean(words.front(), {"ls", "verify", "export"}));
  }

  Command ask_command() {
    AskCommand command = ask_options_;
    // A word that sets no key is the question.
    const auto question =
        std::find_if(ask_words_.begin() + (ask_words_.empty() ? 0 : 1), ask_words_.end(),
                     [](const std::string& word) { return !sets_a_key(word); });
    if (question != ask_words_.end()) {
      command.question = *question;
      if (command.question.empty()) fail("ask: expected a question, found nothing in quotes");
      ask_words_.erase(question);
    }
    std::tie(command.recipe, command.overrides) = split_words(ask_words_, "ask");
    return command;
  }

  Command report_command() const {
    if (report_words_.empty()) fail("report: expected the folder of a run, found none");
    if (report_words_.size() == 1 && !report_out_.empty())
      fail("report: expected several runs beside --out, found one, whose report has its own place");
    return ReportCommand{{report_words_.begin(), report_words_.end()}, report_out_};
  }

  Command checkpoint_command() const {
    if (path_.empty())
      fail("ckpt " + ckpt_->get_subcommands().front()->get_name() +
           ": expected a path, found none");
    if (ckpt_export_->parsed()) {
      if (out_.empty()) fail("ckpt export: expected a folder to write, found none");
      if (model_.empty()) fail("ckpt export: expected --model MODEL, found none");
      return CkptExportCommand{path_, out_, model_, dtype_};
    }
    if (ckpt_ls_->parsed()) return CkptLsCommand{path_};
    return CkptVerifyCommand{path_};
  }

  CLI::App app_{"", "xkde_dist"};
  bool is_help_ = false;
  bool is_version_ = false;
  std::vector<std::string> run_words_;
  std::vector<std::string> validate_words_;
  std::vector<std::string> estimate_words_;
  std::vector<std::string> ask_words_;
  AskCommand ask_options_;
  std::vector<std::string> report_words_;
  std::string report_out_;
  int ranks_ = EstimateCommand().ranks;
  std::string machine_ = EstimateCommand().machine;
  std::string path_, out_, model_;
  std::string dtype_ = CkptExportCommand().dtype;
  CLI::App* validate_ = nullptr;
  CLI::App* estimate_ = nullptr;
  CLI::App* ask_ = nullptr;
  CLI::App* report_ = nullptr;
  CLI::App* env_ = nullptr;
  CLI::App* ckpt_ = nullptr;
  CLI::App* ckpt_ls_ = nullptr;
  CLI::App* ckpt_verify_ = nullptr;
  CLI::App* ckpt_export_ = nullptr;
};

}  // namespace

Command parse_command_line(int argc, const char* const* argv) { return Parser().parse(argc, argv); }

const std::string& help_text() {
  static const std::string kText(kHelp);
  return kText;
}

const std::string& version_text() {
  static const std::string kText = std::string("xkde_dist ") + XKDE_VERSION;
  return kText;
}

}  // namespace xkde
