#include "stages/recipe/run_record.h"

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// A text of run.json; "" where it has no such key.
std::string text_of(const Json& run, const char* key, const std::string& file) {
  const auto found = run.find(key);
  if (found == run.end()) return "";
  XKDE_CHECK(found->is_string(), DataError, file, ": ", key, ": expected a text, found ",
             found->dump());
  return found->get<std::string>();
}

std::vector<std::string> listed_stages(const Json& list, const std::string& file) {
  XKDE_CHECK(list.is_array(), DataError, file, ": stages: expected a list, found ", list.dump());
  std::vector<std::string> stages;
  for (const Json& name : list) {
    XKDE_CHECK(name.is_string() && is_stage_folder_name(name.get<std::string>()), DataError, file,
               ": stages: expected names such as 01-sft, found ", name.dump());
    stages.push_back(name.get<std::string>());
  }
  return stages;
}

std::vector<std::string> numbered_stages(const Json& run, const std::string& file) {
  const Json empty = Json::array();
  const auto recipe = run.find("recipe");
  const bool has_list = recipe != run.end() && recipe->is_object() && recipe->contains("stages");
  const Json& list = has_list ? recipe->at("stages") : empty;
  std::vector<std::string> stages;
  XKDE_CHECK(list.is_array(), DataError, file, ": recipe.stages: expected a list, found ",
             list.dump());
  for (const Json& stage : list) {
    XKDE_CHECK(stage.is_object() && stage.size() == 1, DataError, file,
               ": recipe.stages: expected a stage with its keys, found ", stage.dump());
    stages.push_back(stage_folder_name(stages.size(), stage.items().begin().key()));
  }
  return stages;
}

}  // namespace

std::string stage_folder_name(size_t index, std::string_view stage) {
  const std::string number = std::to_string(index + 1);
  return concat(number.size() < 2 ? "0" : "", number, "-", stage);
}

bool is_stage_folder_name(std::string_view name) {
  const size_t digits = name.find_first_not_of("0123456789");
  return digits != name.npos && digits >= 2 && name[digits] == '-' && name.find('/') == name.npos;
}

std::optional<RunRecord> read_run_record(const fs::path& folder) {
  const fs::path path = folder / kRunFile;
  const std::optional<std::string> text = text_if_there(path, FileOrigin::kOwn);
  if (!text) return std::nullopt;
  const std::string file = path.string();
  RunRecord record{
      .json = parse_json(*text, file), .run_name = "", .exit_reason = "", .stages = {}};
  XKDE_CHECK(record.json.is_object(), DataError, file,
             ": expected an object, found a value of type ", record.json.type_name());
  record.run_name = text_of(record.json, "run_name", file);
  record.exit_reason = text_of(record.json, "exit_reason", file);
  const auto listed = record.json.find("stages");
  record.stages = listed == record.json.end() ? numbered_stages(record.json, file)
                                              : listed_stages(*listed, file);
  return record;
}

}  // namespace xkde::recipe
