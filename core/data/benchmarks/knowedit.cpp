#include "core/data/benchmarks/knowedit.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <system_error>
#include <utility>

#include "core/base/error.h"
#include "core/data/found_text.h"
#include "core/io/json_file.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::pair<std::string_view, KnowEditSet>, 4> kSets{{
    {"zsre", KnowEditSet::kZsre},
    {"wikibio", KnowEditSet::kWikibio},
    {"recent", KnowEditSet::kRecent},
    {"counterfact", KnowEditSet::kCounterfact},
}};

constexpr std::array<std::string_view, 5> kKindNames{"Reasoning", "Subject_Aliasing",
                                                     "Logical_Generalization",
                                                     "Relation_Specificity", "Forgetfulness"};
constexpr ProbeKind kPortabilityKinds[] = {ProbeKind::kReasoning, ProbeKind::kSubjectAliasing,
                                           ProbeKind::kLogicalGeneralization};
constexpr ProbeKind kLocalityKinds[] = {ProbeKind::kRelationSpecificity, ProbeKind::kForgetfulness};

/// Where a set keeps its files.
struct FileNames {
  const char* folder;
  std::vector<std::string> train;
  std::vector<std::string> test;
};

FileNames names_of(KnowEditSet set) {
  switch (set) {
    case KnowEditSet::kZsre:  // its train file has the layout of Bi-ZsRE's
      return {"ZsRE", {}, {"ZsRE-test-all.json"}};
    case KnowEditSet::kWikibio:
      return {"WikiBio", {"wikibio-train-all.json"}, {"wikibio-test-all.json"}};
    case KnowEditSet::kRecent:
      return {"wiki_recent",
              {"recent_train.json"},
              {"recent_test.json", "eval_from_recent_train.json"}};
    case KnowEditSet::kCounterfact:
      return {"wiki_counterfact", {"train_cf.json"}, {"test_cf.json", "eval_from_train_cf.json"}};
  }
  throw InternalError("KnowEdit set: not one of the enumerators");
}

const Json* member(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

/// Parses the rows of one file.
class Reader {
 public:
  Reader(KnowEditSet set, KnowEditDataset& dataset)
      : set_(set), dataset_(dataset), name_(dataset.file.string()) {}

  void read(const Json& json) {
    XKDE_CHECK(json.is_array(), DataError, name_,
               ": expected an array of rows, found a value of type ", json.type_name());
    XKDE_CHECK(!json.empty(), DataError, name_, ": expected at least one row, found none");
    for (row_ = 0; row_ < json.size(); ++row_) {
      XKDE_CHECK(json[row_].is_object(), DataError, name_, ": row ", row_,
                 ": expected an object, found ", found_text(&json[row_]));
      dataset_.records.push_back(record(json[row_]));
      ++dataset_.used["rows"];
    }
  }

 private:
  [[noreturn]] void fail(const std::string& path, const char* expected, const Json* found) const {
    throw DataError(concat(name_, ": row ", row_, ": ", path, ": expected ", expected, ", found ",
                           found_text(found)));
  }

  std::string text(const Json& object, const char* key, const std::string& before = "") const {
    const auto it = object.find(key);
    const Json* value = it == object.end() ? nullptr : &*it;
    if (value == nullptr || !value->is_string() || is_blank(value->get_ref<const std::string&>()))
      fail(before + key, "a non-empty string", value);
    return value->get<std::string>();
  }

  KnowEditRecord record(const Json& row) {
    KnowEditRecord record;
    record.index = static_cast<int64_t>(row_);
    const bool is_passage = set_ == KnowEditSet::kWikibio;
    record.subject = text(row, is_passage ? "concept" : "subject");
    record.prompt = text(row, is_passage ? "text" : "prompt");
    record.target = text(row, is_passage ? "labels" : "target_new");
    if (member(row, "rephrase_prompt") != nullptr) record.rephrase = text(row, "rephrase_prompt");
    if (const Json* old = member(row, "ground_truth"); old != nullptr) {
      // Several texts of a record are names of one answer: "old" is what any of them says.
      for (const auto& aliases : answers(*old, "ground_truth", "ground_truth"))
        record.old_answers.insert(record.old_answers.end(), aliases.begin(), aliases.end());
    }
    record.portability = probes(row, "portability", kPortabilityKinds);
    record.locality = probes(row, "locality", kLocalityKinds);
    return record;
  }

  std::vector<KnowEditProbe> probes(const Json& row, const char* group,
                                    std::span<const ProbeKind> kinds) {
    std::vector<KnowEditProbe> probes;
    const Json* lists = member(row, group);
    if (lists == nullptr) return probes;
    if (!lists->is_object()) fail(group, "an object {kind: list of probes}", lists);
    if (lists->empty()) ++dataset_.skipped[concat(group, ": empty")];
    count_unknown_kinds(*lists, group, kinds);
    for (const ProbeKind kind : kinds) {
      const std::string path = concat(group, ".", probe_kind_name(kind));
      const Json* list = member(*lists, std::string(probe_kind_name(kind)).c_str());
      if (list == nullptr) continue;
      if (!list->is_array()) fail(path, "a list of probes", list);
      if (list->empty()) ++dataset_.skipped[path + ": empty"];
      for (size_t i = 0; i < list->size(); ++i) {
        std::optional<KnowEditProbe> one = probe((*list)[i], kind, path, i);
        if (one) probes.push_back(std::move(*one));
      }
    }
    return probes;
  }

  void count_unknown_kinds(const Json& lists, const char* group, std::span<const ProbeKind> kinds) {
    for (const auto& [key, list] : lists.items()) {
      const bool is_known = std::any_of(kinds.begin(), kinds.end(), [&key = key](ProbeKind kind) {
        return probe_kind_name(kind) == key;
      });
      if (!is_known) ++dataset_.skipped[concat(group, ".", key, ": unknown kind")];
    }
  }

  std::optional<KnowEditProbe> probe(const Json& json, ProbeKind kind, const std::string& list,
                                     size_t i) {
    const std::string path = concat(list, "[", i, "]");
    if (!json.is_object()) fail(path, "an object {prompt, ground_truth}", &json);
    KnowEditProbe probe{.kind = kind,
                        .prompt = text(json, "prompt", path + "."),
                        .answers = {},
                        .position = static_cast<int64_t>(i),
                        .first_answer = {}};
    const auto truth = json.find("ground_truth");
    if (truth == json.end()) fail(path + ".ground_truth", "a string or a list", nullptr);
    probe.answers = answers(*truth, path + ".ground_truth", list);
    if (probe.answers.empty()) {
      ++dataset_.skipped[list + ": no answer"];
      return std::nullopt;
    }
    probe.first_answer = first_answer(*truth);
    ++dataset_.used[list];
    return probe;
  }

  /// What EasyEdit and LTE take for the answer: the first element down to a text.
  static std::string first_answer(const Json& truth) {
    const Json* value = &truth;
    while (value->is_array() && !value->empty()) value = &value->front();
    if (!value->is_string() || is_blank(value->get_ref<const std::string&>())) return {};
    return value->get<std::string>();
  }

  /// Every nesting that the files have. What is empty names no answer and is counted under `list`.
  std::vector<std::vector<std::string>> answers(const Json& truth, const std::string& path,
                                                const std::string& list) {
    std::vector<std::vector<std::string>> answers;
    const auto add = [&](std::vector<std::string> aliases) {
      if (aliases.empty()) {
        ++dataset_.skipped[list + ": empty answer"];
      } else {
        answers.push_back(std::move(aliases));
      }
    };
    if (truth.is_string()) {
      add(aliases(truth, path));
    } else if (truth.is_array()) {
      for (size_t i = 0; i < truth.size(); ++i) add(aliases(truth[i], concat(path, "[", i, "]")));
    } else {
      fail(path, "a string or a list", &truth);
    }
    return answers;
  }

  std::vector<std::string> aliases(const Json& answer, const std::string& path) const {
    std::vector<std::string> aliases;
    const auto add = [&](const Json& alias, const std::string& here) {
      if (!alias.is_string()) fail(here, "a string", &alias);
      if (!is_blank(alias.get_ref<const std::string&>()))
        aliases.push_back(alias.get<std::string>());
    };
    if (!answer.is_array()) {
      add(answer, path);
      return aliases;
    }
    for (size_t i = 0; i < answer.size(); ++i) add(answer[i], concat(path, "[", i, "]"));
    return aliases;
  }

  KnowEditSet set_;
  KnowEditDataset& dataset_;
  std::string name_;
  size_t row_ = 0;
};

}  // namespace

bool is_knowedit_name(std::string_view name) {
  return std::any_of(kSets.begin(), kSets.end(),
                     [name](const auto& known) { return known.first == name; });
}

KnowEditSet knowedit_from_name(std::string_view name) {
  std::string known;
  for (const auto& [key, set] : kSets) {
    if (key == name) return set;
    known += (known.empty() ? "" : ", ") + std::string(key);
  }
  throw ConfigError(concat("KnowEdit set: expected one of ", known, ", found \"", name, "\""));
}

std::string_view probe_kind_name(ProbeKind kind) {
  return kKindNames.at(static_cast<size_t>(kind));
}

fs::path find_knowedit_file(KnowEditSet set, const fs::path& data, KnowEditSplit split) {
  std::error_code error;
  if (!fs::is_directory(data, error)) return data;
  const FileNames names = names_of(set);
  const bool is_train = split == KnowEditSplit::kTrain;
  XKDE_CHECK(!is_train || !names.train.empty(), MissingInputError, data.string(), ": ",
             names.folder,
             " has no train file of its own (it is that of bizsre_train); name a file");
  std::vector<fs::path> found;
  std::string looked_for;
  for (const std::string& name : is_train ? names.train : names.test) {
    looked_for += (looked_for.empty() ? "" : ", ") + name;
    for (const char* folder : {"", names.folder, is_train ? "train" : "test"}) {
      const fs::path file = *folder == '\0' ? data / name : data / folder / name;
      if (fs::exists(file, error)) found.push_back(file);
    }
  }
  XKDE_CHECK(!found.empty(), MissingInputError, data.string(), ": no ", is_train ? "train" : "test",
             " file of ", names.folder, "; looked for ", looked_for, " in it, in ", names.folder,
             " and in ", is_train ? "train" : "test");
  XKDE_CHECK(found.size() == 1, DataError, data.string(), ": expected one file, found ",
             found.front().string(), " and ", found.back().string());
  return found.front();
}

KnowEditDataset read_knowedit(KnowEditSet set, const fs::path& file) {
  KnowEditDataset dataset;
  dataset.file = file;
  Reader(set, dataset).read(read_json_file(file));
  return dataset;
}

}  // namespace xkde
