#ifndef XKDE_STAGES_CATALOG_YAML_WRITER_H_
#define XKDE_STAGES_CATALOG_YAML_WRITER_H_

#include <string>

#include "core/io/json_file.h"
#include "stages/recipe/yaml_reader.h"

namespace xkde::catalog {

/// An object as YAML that the reader of recipes reads back: mappings in lines, lists of plain
/// values in one line each, texts in quotes where they need them.
std::string to_yaml(const Json& object);
/// The same of a mapping as it was read: numbers as they were written, quotes where they make a
/// difference. An alias is written out; comments are not part of a tree.
std::string to_yaml(const recipe::YamlNode& mapping);

}  // namespace xkde::catalog

#endif  // XKDE_STAGES_CATALOG_YAML_WRITER_H_
