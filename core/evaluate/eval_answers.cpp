#include "core/evaluate/eval_answers.h"

#include "core/base/error.h"
#include "core/io/file_reader.h"

namespace xkde {
namespace {

void add_answer(EvalAnswers& answers, ChunkKind kind, const Json& row) {
  switch (kind) {
    case ChunkKind::kReferences:
    case ChunkKind::kPrompts: {
      auto& list = kind == ChunkKind::kPrompts ? answers.prompts : answers.references;
      list.push_back({row.at("predicted_ids").get<std::vector<int64_t>>(),
                      row.at("target_ids").get<std::vector<int64_t>>()});
      return;
    }
    case ChunkKind::kFreeReferences:
    case ChunkKind::kFree: {
      auto& list = kind == ChunkKind::kFree ? answers.free : answers.free_references;
      list.push_back({row.at("text").get<std::string>(), row.value("stopped", false)});
      return;
    }
    case ChunkKind::kFluency:
      answers.fluency.push_back(row.at("text").get<std::string>());
      return;
  }
  throw InternalError("evaluation chunk: not one of the kinds");
}

}  // namespace

Json answer_json(const TargetAnswer& answer) {
  return {{"predicted_ids", answer.predicted_ids}, {"target_ids", answer.target_ids}};
}

Json answer_json(const FreeAnswer& answer) {
  return {{"text", answer.text}, {"stopped", answer.stopped}};
}

Json answer_json(const std::string& text) { return {{"text", text}}; }

EvalAnswers read_answers(const std::filesystem::path& file, std::span<const EvalChunk> chunks) {
  EvalAnswers answers;
  LineReader lines(file, FileOrigin::kOwn);
  std::string line;
  for (const EvalChunk& chunk : chunks) {
    for (size_t i = 0; i < chunk.count; ++i) {
      XKDE_CHECK(lines.next(line), InternalError, file.string(),
                 ": expected more lines than it has");
      add_answer(answers, chunk.kind, parse_json(line, file.string()));
    }
  }
  return answers;
}

}  // namespace xkde
