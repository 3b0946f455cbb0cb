#ifndef XKDE_STAGES_CATALOG_YAML_WRITER_H_
#define XKDE_STAGES_CATALOG_YAML_WRITER_H_

#include <string>

#include "core/io/json_file.h"

namespace xkde::catalog {

/// An object as YAML that the reader of recipes reads back: mappings in lines, lists of plain
/// values in one line each, texts in quotes where they need them.
std::string to_yaml(const Json& object);

}  // namespace xkde::catalog

#endif  // XKDE_STAGES_CATALOG_YAML_WRITER_H_
