#ifndef XKDE_STAGES_REPORT_EASYEDIT_JSON_H_
#define XKDE_STAGES_REPORT_EASYEDIT_JSON_H_

#include <filesystem>
#include <map>
#include <string>

#include "core/io/json_file.h"

namespace xkde::report {

/// The predictions of one evaluation in the form of EasyEdit's result files, one for each mode,
/// size and language pair ("sequential_100_en_es"): a list with, for each record, case_id, prompt,
/// pre (empty) and post: rewrite_acc, rephrase_acc, locality {kind_acc: [...]} and portability,
/// each a list of the scores of its prompts. Source: github zjunlp/EasyEdit,
/// examples/run_knowedit_llama2.py and summary_metrics. `file` is a predictions.jsonl; throws
/// DataError with its line.
std::map<std::string, Json> easyedit_results(const std::filesystem::path& file);

}  // namespace xkde::report

#endif  // XKDE_STAGES_REPORT_EASYEDIT_JSON_H_
