#include "stages/export/base_model.h"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>

#include "core/io/file_reader.h"
#include "core/io/gguf.h"
#include "core/io/json_file.h"
#include "stages/export/model_card.h"

namespace xkde::recipe {
namespace {

namespace fs = std::filesystem;

/// What a card says of a licence, and where a GGUF file says the same.
struct LicenceKey {
  std::string_view card;
  const char* gguf;
};
constexpr LicenceKey kLicenceKeys[] = {{"license", "general.license"},
                                       {"license_name", "general.license.name"},
                                       {"license_link", "general.license.link"}};
/// Where converters note the model that a GGUF file was made of, the nearest first.
constexpr const char* kGgufSources[] = {"general.source.huggingface.repository",
                                        "general.source.repo_url", "general.repo_url"};
constexpr std::string_view kHub = "https://huggingface.co/";
/// A folder of the hub's cache: models--owner--name/snapshots/COMMIT.
constexpr std::string_view kCachedModel = "models--";

bool is_name_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '-' || letter == '_' ||
         letter == '.';
}

/// `text` where it is "owner/name", else "". Paths of a disk begin otherwise or go deeper.
std::string hub_id(std::string_view text) {
  if (text.starts_with(kHub)) text.remove_prefix(kHub.size());
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return "";
  const std::string_view owner = text.substr(0, slash), name = text.substr(slash + 1);
  for (const std::string_view part : {owner, name}) {
    if (part.empty() || part.front() == '.' ||
        !std::all_of(part.begin(), part.end(), is_name_letter))
      return "";
  }
  return std::string(text);
}

/// "owner/name" of a folder in the hub's cache, else "".
std::string id_in_cache(const fs::path& model) {
  for (const fs::path& part : model) {
    std::string name = part.string();
    if (!name.starts_with(kCachedModel)) continue;
    name.erase(0, kCachedModel.size());
    const size_t between = name.find("--");
    if (between != std::string::npos) return hub_id(name.replace(between, 2, "/"));
  }
  return "";
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0)
    text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.remove_suffix(1);
  if (text.size() > 1 && text.front() == text.back() &&
      (text.front() == '"' || text.front() == '\'')) {
    text.remove_prefix(1);
    text.remove_suffix(1);
  }
  return text;
}

/// Texts of the head of a card between two lines "---". Lists and mappings there say nothing.
void read_card_head(const fs::path& card, BaseModel& base) {
  auto lines = LineReader::open_if_there(card, FileOrigin::kInput);
  std::string line;
  if (!lines || !lines->next(line) || trimmed(line) != "---") return;
  while (lines->next(line) && trimmed(line) != "---") {
    for (const LicenceKey& key : kLicenceKeys) {
      if (!line.starts_with(key.card) || line.substr(key.card.size(), 1) != ":") continue;
      const std::string_view value = trimmed(std::string_view(line).substr(key.card.size() + 1));
      const bool is_text =
          !value.empty() && std::string_view("[{&*|>#").find(value[0]) == value.npos;
      if (is_text) base.licence.emplace_back(key.card, value);
    }
  }
}

void read_config(const fs::path& file, BaseModel& base) {
  const auto text = text_if_there(file, FileOrigin::kInput);
  if (!text) return;
  const Json config = parse_json(*text, file.string());
  const auto name = config.is_object() ? config.find("_name_or_path") : config.end();
  if (config.is_object() && name != config.end() && name->is_string())
    base.id = hub_id(name->get<std::string>());
}

void read_metadata(const fs::path& file, BaseModel& base) {
  const GgufFile gguf = GgufFile::open(file);
  for (const LicenceKey& key : kLicenceKeys) {
    if (gguf.has(key.gguf)) base.licence.emplace_back(key.card, gguf.string(key.gguf));
  }
  for (const char* source : kGgufSources) {
    if (base.id.empty() && gguf.has(source)) base.id = hub_id(gguf.string(source));
  }
}

}  // namespace

BaseModel base_model_of(const fs::path& model) {
  const fs::path path = fs::absolute(model).lexically_normal();
  BaseModel base;
  base.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  if (is_folder(model, FileOrigin::kInput)) {
    read_card_head(model / kModelCard, base);
    read_config(model / "config.json", base);
  } else {
    read_metadata(model, base);
  }
  if (const std::string cached = id_in_cache(path); !cached.empty()) base.id = cached;
  return base;
}

}  // namespace xkde::recipe
