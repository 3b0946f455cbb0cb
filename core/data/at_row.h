#ifndef XKDE_CORE_DATA_AT_ROW_H_
#define XKDE_CORE_DATA_AT_ROW_H_

#include "core/base/error.h"

namespace xkde {

/// What `make` makes of one row of a file. What it throws for the row, a DataError or a ConfigError
/// of the template that writes it, says first where the row stands: `place` gives
/// "train.json: row 3". Rows of a list count from 0, lines from 1.
template <typename Place, typename Make>
decltype(auto) at_row(const Place& place, const Make& make) {
  try {
    return make();
  } catch (const DataError& error) {
    throw DataError(concat(place(), ": ", error.what()));
  } catch (const ConfigError& error) {
    throw ConfigError(concat(place(), ": ", error.what()));
  }
}

}  // namespace xkde

#endif  // XKDE_CORE_DATA_AT_ROW_H_
