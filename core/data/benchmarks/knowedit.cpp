#include "core/data/benchmarks/knowedit.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include "core/base/error.h"
#include "core/data/benchmarks/edit_rows.h"
#include "core/data/found_text.h"
#include "core/io/file_reader.h"
#include "core/io/json_file.h"

namespace xkde {

namespace {

namespace fs = std::filesystem;

constexpr ProbeKind kPortabilityKinds[] = {ProbeKind::kReasoning, ProbeKind::kSubjectAliasing,
                                           ProbeKind::kLogicalGeneralization};
constexpr ProbeKind kLocalityKinds[] = {ProbeKind::kRelationSpecificity, ProbeKind::kForgetfulness};

const Json* member(const Json& object, std::string_view key) {
  const auto it = object.find(key);
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

/// Parses the rows of one file.
class Reader {
 public:
  Reader(const KnowEditLayout& layout, EditFile& file)
      : layout_(layout), file_(file), name_(file.path.string()) {}

  void read(const Json& json) {
    XKDE_CHECK(json.is_array(), DataError, name_,
               ": expected an array of rows, found a value of type ", json.type_name());
    XKDE_CHECK(!json.empty(), DataError, name_, ": expected at least one row, found none");
    for (row_ = 0; row_ < json.size(); ++row_) {
      XKDE_CHECK(json[row_].is_object(), DataError, name_, ": row ", row_,
                 ": expected an object, found ", found_text(&json[row_]));
      file_.rows.push_back(record(json[row_]));
      file_.row_ids.emplace_back();
    }
  }

 private:
  [[noreturn]] void fail(const std::string& path, const char* expected, const Json* found) const {
    throw DataError(concat(name_, ": row ", row_, ": ", path, ": expected ", expected, ", found ",
                           found_text(found)));
  }

  std::string text(const Json& object, std::string_view key, const std::string& before = "") const {
    const auto it = object.find(key);
    const Json* value = it == object.end() ? nullptr : &*it;
    if (value == nullptr || !value->is_string() || is_blank(value->get_ref<const std::string&>()))
      fail(concat(before, key), "a non-empty string", value);
    return value->get<std::string>();
  }

  EditRecord record(const Json& row) {
    // `cond` says again what the other fields say, and `case_id` is the row's number.
    const std::string_view known[] = {layout_.subject,   layout_.prompt, layout_.target,
                                      "rephrase_prompt", "ground_truth", "portability",
                                      "locality",        "cond",         "case_id"};
    count_unknown(row, known, "", file_.skipped);
    EditSide side;
    side.subject = text(row, layout_.subject);
    side.src = text(row, layout_.prompt);
    side.alt = text(row, layout_.target);
    if (member(row, "rephrase_prompt") != nullptr)
      side.rephrases.push_back(text(row, "rephrase_prompt"));
    if (const Json* old = member(row, "ground_truth"); old != nullptr) {
      // Several texts of a record are names of one answer: "old" is what any of them says.
      for (const auto& aliases : answers(*old, "ground_truth", "ground_truth"))
        side.old_answers.insert(side.old_answers.end(), aliases.begin(), aliases.end());
    }
    std::vector<Probe> portability = probes(row, "portability", kPortabilityKinds);
    side.probes = probes(row, "locality", kLocalityKinds);
    std::move(portability.begin(), portability.end(), std::back_inserter(side.probes));
    EditRecord record;
    record.index = static_cast<int64_t>(row_);
    record.sides.emplace("en", std::move(side));
    return record;
  }

  std::vector<Probe> probes(const Json& row, const char* group, std::span<const ProbeKind> kinds) {
    std::vector<Probe> probes;
    const Json* lists = member(row, group);
    if (lists == nullptr) return probes;
    if (!lists->is_object()) fail(group, "an object {kind: list of probes}", lists);
    if (lists->empty()) ++file_.skipped[concat(group, ": empty")];
    count_unknown_kinds(*lists, group, kinds);
    for (const ProbeKind kind : kinds) {
      const std::string path = concat(group, ".", name_of(kProbeKindNames, kind));
      const Json* list = member(*lists, name_of(kProbeKindNames, kind));
      if (list == nullptr) continue;
      if (!list->is_array()) fail(path, "a list of probes", list);
      if (list->empty()) ++file_.skipped[path + ": empty"];
      for (size_t i = 0; i < list->size(); ++i) {
        std::optional<Probe> one = probe((*list)[i], kind, path, i);
        if (one) probes.push_back(std::move(*one));
      }
    }
    return probes;
  }

  void count_unknown_kinds(const Json& lists, const char* group, std::span<const ProbeKind> kinds) {
    for (const auto& [key, list] : lists.items()) {
      const bool is_known = std::any_of(kinds.begin(), kinds.end(), [&key = key](ProbeKind kind) {
        return name_of(kProbeKindNames, kind) == key;
      });
      if (!is_known) ++file_.skipped[concat(group, ".", key, ": unknown kind")];
    }
  }

  std::optional<Probe> probe(const Json& json, ProbeKind kind, const std::string& list, size_t i) {
    const std::string path = concat(list, "[", i, "]");
    if (!json.is_object()) fail(path, "an object {prompt, ground_truth}", &json);
    constexpr std::string_view kKnown[] = {"prompt", "ground_truth"};
    count_unknown(json, kKnown, list + ".", file_.skipped);
    Probe probe{.kind = kind,
                .question = text(json, "prompt", path + "."),
                .answers = {},
                .position = static_cast<int64_t>(i)};
    const auto truth = json.find("ground_truth");
    if (truth == json.end()) fail(path + ".ground_truth", "a string or a list", nullptr);
    probe.answers = answers(*truth, path + ".ground_truth", list);
    if (probe.answers.empty()) {
      ++file_.skipped[list + ": no answer"];
      return std::nullopt;
    }
    probe.target = first_answer(*truth);
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
        ++file_.skipped[list + ": empty answer"];
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

  const KnowEditLayout& layout_;
  EditFile& file_;
  std::string name_;
  size_t row_ = 0;
};

}  // namespace

fs::path find_knowedit_file(const KnowEditLayout& layout, const fs::path& data, Split split) {
  if (!is_folder(data, FileOrigin::kInput)) return data;
  const bool is_train = split == Split::kTrain;
  XKDE_CHECK(!is_train || !layout.train.front().empty(), MissingInputError, data.string(), ": ",
             layout.folder,
             " has no train file of its own (it is that of bizsre_train); name a file");
  std::vector<fs::path> found;
  std::string looked_for;
  for (const std::string_view name : is_train ? layout.train : layout.test) {
    if (name.empty()) continue;
    looked_for.append(looked_for.empty() ? "" : ", ").append(name);
    for (const std::string_view folder :
         {std::string_view(), layout.folder, std::string_view(is_train ? "train" : "test")}) {
      const fs::path file = folder.empty() ? data / name : data / folder / name;
      if (is_there(file, FileOrigin::kInput)) found.push_back(file);
    }
  }
  XKDE_CHECK(!found.empty(), MissingInputError, data.string(), ": no ", is_train ? "train" : "test",
             " file of ", layout.folder, "; looked for ", looked_for, " in it, in ", layout.folder,
             " and in ", is_train ? "train" : "test");
  XKDE_CHECK(found.size() == 1, DataError, data.string(), ": expected one file, found ",
             found.front().string(), " and ", found.back().string());
  return found.front();
}

EditFile parse_knowedit(const KnowEditLayout& layout, const fs::path& path, const Json& json) {
  EditFile file{.path = path};
  Reader(layout, file).read(json);
  return file;
}

EditFile read_knowedit(const KnowEditLayout& layout, const fs::path& path) {
  return parse_knowedit(layout, path, read_json_file(path));
}

}  // namespace xkde
