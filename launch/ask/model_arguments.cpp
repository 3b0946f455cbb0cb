#include "launch/ask/model_arguments.h"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "core/base/error.h"

namespace xkde {

void ModelArguments::define(CLI::App& app) {
  arguments.define(app);
  app.add_option("--model", options.model,
                 "a Hugging Face folder or .gguf file, in place of a recipe")
      ->type_name("MODEL");
  app.add_option("--facts", options.facts,
                 "facts of your own (docs/recipes.md) in place of the edits of the recipe")
      ->type_name("FILE");
  app.add_option("--fact-lang", options.fact_language,
                 "language in which facts of --facts are shown (default: en where they have it)")
      ->type_name("CODE");
  app.add_option("--lang", options.language,
                 "language of the questions (default: the recipe's first test language, else en)")
      ->type_name("CODE");
  app.add_option("--memory", options.memory,
                 options.is_read_only
                     ? "an edit memory (HDF5) to open; it stays as it is"
                     : "an edit memory (HDF5) to open, and to add edits to; made when it is not "
                       "there")
      ->type_name("FILE");
  app.add_option("--encoder", options.encoder,
                 "sentence encoder, where the recipe has no retriever; without one, facts are "
                 "found by their letters")
      ->type_name("DIR");
  app.add_option("--threshold", options.threshold,
                 "a fact with a smaller cosine is not shown (default: the recipe's "
                 "retriever's, else the nearest are shown)")
      ->check(CLI::Range(-1.0, 1.0))
      ->type_name("X");
  app.add_option("-k", options.k, "facts in a context, at most; 0: none")
      ->check(CLI::Range(0, 1 << 20))
      ->type_name("N");
}

void ModelArguments::check(std::string_view command) {
  XKDE_CHECK(options.facts.empty() || options.memory.empty(), UsageError, command,
             ": expected --facts or --memory, found both");
  XKDE_CHECK(options.fact_language.empty() || !options.facts.empty(), UsageError, command,
             ": expected --facts FILE beside --fact-lang, found none");
  if (!options.model.empty()) {
    // A recipe may name one; that is seen where it is read.
    XKDE_CHECK(!options.threshold || !options.encoder.empty(), UsageError, command,
               ": expected --encoder DIR beside --threshold, found none");
    return;
  }
  XKDE_CHECK(!arguments.words.empty(), UsageError, command,
             ": expected a recipe or --model MODEL, found none");
  arguments.check(command);
  options.recipe = arguments.recipe;
  options.overrides = arguments.overrides;
}

}  // namespace xkde
