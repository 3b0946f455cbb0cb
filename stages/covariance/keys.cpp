#include "stages/covariance/keys.h"

#include <string>
#include <utility>

#include "core/base/error.h"
#include "core/capability/text_documents.h"

namespace xkde::recipe {
namespace {

/// It names a part of the file that the stage leaves.
constexpr Condition<std::string> kLanguage{
    "a text of letters, digits, '-' and '_'",
    [](const std::string& value) {
      constexpr const char* kMarks =
          "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
      return !value.empty() && value.find_first_not_of(kMarks) == std::string::npos;
    },
    "^[A-Za-z0-9_-]+$"};

void each_text_key(StrictMap map, TextSource& text) {
  map.required("data", text.data);
  map.optional("lang", text.lang, kLanguage);
  map.optional("documents", text.documents, kDocumentUnitNames);
  map.done();
}

void each_import_key(StrictMap map, ImportedMoment& one) {
  map.required("data", one.data);
  map.required("layer", one.layer, kNotNegative);
  map.optional("module", one.module, kObservedModules);
  map.done();
}

void check_kinds(StrictMap& map) {
  const bool has_texts = map.has("texts"), has_imports = map.has("import");
  if (!has_texts && !has_imports)
    map.add_error("texts", "expected this key or import, found neither");
  if (has_texts && has_imports) map.add_error("import", "expected this key or texts, found both");
  if (has_texts || !has_imports) return;
  for (const char* key : {"layers", "modules", "per_language", "max_tokens", "context_length",
                          "max_tokens_per_batch"}) {
    if (map.has(key)) map.add_error(key, "expected texts beside it, found import");
  }
}

}  // namespace

void CovarianceStage::each_key(StrictMap map) {
  if (map.reads()) check_kinds(map);
  map.optional_list("texts", texts, each_text_key);
  map.optional_list("import", imports, each_import_key);
  const bool counts = imports.empty() || !texts.empty();
  if (map.reads() && counts) {
    map.required("layers", layers, kNotNegative);
  } else {
    map.written_if(counts, "layers", layers, kNotNegative);
  }
  map.written_if(counts, "modules", modules, kObservedModules);
  map.written_if(counts, "per_language", per_language);
  map.written_if(counts, "max_tokens", max_tokens, kNotNegative);
  map.written_if(counts, "context_length", context_length, kNotNegative);
  map.written_if(counts, "max_tokens_per_batch", max_tokens_per_batch, kPositive);
  if (map.reads()) {
    std::set<std::pair<int64_t, TensorRole>> seen;
    for (const ImportedMoment& one : imports) {
      if (!seen.emplace(one.layer, one.module).second)
        map.add_error("import", concat("expected each module of a layer once, found layer ",
                                       one.layer, " twice"));
    }
  }
  map.excuse("import", {"texts", "layers"});
  map.done();
}

CovarianceStage CovarianceStage::with_sections() {
  CovarianceStage stage;
  stage.texts.emplace_back();
  stage.imports.emplace_back();
  return stage;
}

void CovarianceStage::check_inputs(InputChecker& inputs) const {
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string key = concat("texts.", i, ".data");
    if (!inputs.opens(key, texts[i].data, "a text file in UTF-8")) continue;
    inputs.reads(key, [&] { read_text_documents(texts[i].data, texts[i].documents); });
  }
  for (size_t i = 0; i < imports.size(); ++i)
    inputs.opens(concat("import.", i, ".data"), imports[i].data, "a .npz file of second moments");
  if (const int64_t context = inputs.context_length(); context > 0 && context_length > context)
    inputs.refuse("context_length",
                  concat("expected at most the ", context, " tokens of the model's context, found ",
                         context_length));
}

std::set<std::filesystem::path> CovarianceStage::files() const {
  std::set<std::filesystem::path> files;
  for (const TextSource& text : texts) files.insert(text.data);
  for (const ImportedMoment& one : imports) files.insert(one.data);
  return files;
}

}  // namespace xkde::recipe
