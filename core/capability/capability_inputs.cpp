#include "core/capability/capability_inputs.h"

#include <cstddef>
#include <map>
#include <string>
#include <utility>

#include "core/base/error.h"

namespace xkde {
namespace {

/// The file, by its place in the recipe, that gives each name and language of results.
class Owners {
 public:
  void claim(const std::string& name, const std::string& language, size_t file,
             const std::filesystem::path& path) {
    const auto [owner, is_new] = owners_.try_emplace({name, language}, file);
    XKDE_CHECK(owner->second == file, ConfigError, path.string(),
               ": expected a name of its own for the language ", language,
               ", found one that another file has, ", name);
  }

 private:
  std::map<std::pair<std::string, std::string>, size_t> owners_;
};

}  // namespace

CapabilityInputs read_capability_inputs(const CapabilityOptions& options) {
  CapabilityInputs inputs;
  Owners texts, questions;
  for (size_t i = 0; i < options.perplexity.size(); ++i) {
    const TextSource& source = options.perplexity[i];
    texts.claim(source.name, source.lang, i, source.data);
    inputs.perplexity.push_back(read_text_documents(source.data, source.documents));
  }
  for (size_t i = 0; i < options.choices.size(); ++i) {
    const ChoiceSource& source = options.choices[i];
    inputs.choices.push_back(read_choice_rows(source.data, source.lang));
    for (const ChoiceRow& row : inputs.choices.back())
      questions.claim(source.name, row.language, i, source.data);
  }
  return inputs;
}

}  // namespace xkde
