#ifndef XKDE_LAUNCH_ASK_H_
#define XKDE_LAUNCH_ASK_H_

#include <istream>
#include <ostream>

#include "launch/command_line.h"

namespace xkde {

/// `xkde_dist ask`: answers the command's question, or those that come line by line from `in`, with
/// facts out of an edit memory, and writes what the model was shown. A line "+ question => answer"
/// is a new edit, ":lang CODE" changes the language, ":facts" tells what is remembered, ":help" all
/// of it. The model is the recipe's after its last training stage; the memory is that of the
/// command's file, that of the model's folder (export.memory), or the edits of the recipe's last
/// evaluate stage, which a new file gets too. One process, CPU or the first GPU. Throws as the
/// parts do, MissingInputError where nothing says what to remember or which encoder to use.
void ask_model(const AskCommand& command, std::istream& in, std::ostream& out);

}  // namespace xkde

#endif  // XKDE_LAUNCH_ASK_H_
