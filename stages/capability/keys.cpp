#include "stages/capability/keys.h"

#include <string>
#include <vector>

#include "core/base/error.h"
#include "core/capability/capability_inputs.h"

namespace xkde::recipe {
namespace {

constexpr Condition<std::string> kAnyText{"a text", [](const std::string&) { return true; }};

/// The keys of a file that both kinds have.
template <typename Source>
void each_source_key(StrictMap& map, Source& source) {
  map.required("data", source.data);
  if (map.reads()) source.name = source.data.stem().string();
  map.optional("name", source.name);
  map.optional("lang", source.lang);
}

void each_text_key(StrictMap map, TextSource& source) {
  each_source_key(map, source);
  map.optional("documents", source.documents, kDocumentUnitNames);
  map.done();
}

void each_choice_key(StrictMap map, ChoiceSource& source) {
  each_source_key(map, source);
  map.optional("target_delimiter", source.target_delimiter, kAnyText);
  map.done();
}

}  // namespace

void CapabilityStage::each_key(StrictMap map) {
  if (map.reads() && !map.has("perplexity") && !map.has("choices"))
    map.add_error("perplexity", "expected this key or choices, found neither");
  map.optional_list("perplexity", perplexity, each_text_key);
  map.optional_list("choices", choices, each_choice_key);
  map.excuse("choices", {"perplexity"});
  map.optional("add_special_tokens", add_special_tokens);
  map.optional("max_length", max_length, kNotNegative);
  map.optional("bootstrap_resamples", bootstrap_resamples, kNotNegative);
  map.optional("max_tokens_per_batch", max_tokens_per_batch, kPositive);
  map.optional("token_tree", token_tree);
  map.done();
}

CapabilityStage CapabilityStage::with_sections() {
  CapabilityStage stage;
  stage.perplexity.emplace_back();
  stage.choices.emplace_back();
  return stage;
}

void CapabilityStage::check_inputs(InputChecker& inputs) const {
  bool opens = true;
  for (size_t i = 0; i < perplexity.size(); ++i)
    opens &=
        inputs.opens(concat("perplexity.", i, ".data"), perplexity[i].data, "a text file in UTF-8");
  for (size_t i = 0; i < choices.size(); ++i)
    opens &= inputs.opens(concat("choices.", i, ".data"), choices[i].data,
                          "a file with a question and its choices a line");
  if (const int64_t context = inputs.context_length(); context > 0 && max_length > context)
    inputs.refuse("max_length", concat("expected at most the ", context,
                                       " tokens of the model's context, found ", max_length));
  if (!opens) return;
  inputs.reads(perplexity.empty() ? "choices" : "perplexity",
               [this] { read_capability_inputs(*this); });
}

std::set<std::filesystem::path> CapabilityStage::files() const {
  std::set<std::filesystem::path> files;
  for (const TextSource& source : perplexity) files.insert(source.data);
  for (const ChoiceSource& source : choices) files.insert(source.data);
  return files;
}

}  // namespace xkde::recipe
