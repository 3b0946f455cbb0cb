#include "stages/pipeline/sample_preview.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/error.h"
#include "core/model/pretrained/pretrained.h"
#include "core/text/chat_template.h"
#include "core/text/plural.h"
#include "stages/recipe/errors.h"
#include "stages/recipe/run_record.h"
#include "stages/run/artifacts.h"
#include "stages/run/run_data.h"
#include "stages/run/run_place.h"
#include "stages/train/orpo_stage.h"
#include "stages/train/sft_samples.h"
#include "stages/train/survey.h"

namespace xkde::recipe {
namespace {

constexpr std::string_view kBegin = "⟦", kEnd = "⟧", kBetween = "·";
constexpr std::string_view kNoLetter = "\xEF\xBF\xBD";  // what decoding puts for a part of a letter
constexpr std::string_view kPieceBlank = "\xE2\x96\x81";  // the blank of SentencePiece's vocabulary

std::string text_of_token(const Tokenizer& tokenizer, int64_t id) {
  const std::string spelled = tokenizer.id_to_token(id).value_or(concat("<", id, ">"));
  if (spelled.starts_with(kPieceBlank)) return " " + spelled.substr(kPieceBlank.size());
  const std::string text = tokenizer.decode(std::span(&id, 1), false);
  return text.empty() || text.find(kNoLetter) != text.npos ? spelled : text;
}

/// "143 tokens, 12 trained; cut from 160 tokens".
std::string counts(size_t tokens, int64_t trained, size_t whole) {
  std::string text = concat(count_of(tokens, "token"), ", ", trained, " trained");
  if (whole > tokens) text += "; cut from " + count_of(whole, "token");
  return text + "\n";
}

std::string shown_samples(const SftStage& stage, const SurveyInputs& inputs, int64_t count) {
  const std::vector<Conversation>& all = conversations_of(stage.train_data, inputs);
  std::string text;
  for (size_t i = 0; i < all.size() && count > 0; ++i) {
    text += concat("\nsample ", i + 1, " of ", all.size());
    if (!all[i].id.empty()) text += ", " + printable(all[i].id);
    const SftSample whole =
        whole_sample(all[i], stage, inputs.model.tokenizer, inputs.chat_template);
    const auto sample = limited_sample(all[i], stage, inputs.model, inputs.chat_template);
    if (!sample) {
      text += concat(": left out, as its question alone has ",
                     count_of(whole.prompt_length(), "token"), "\n");
      continue;
    }
    text += ": " + counts(sample->ids.size(), sample->num_trained(), whole.ids.size()) +
            marked_tokens(inputs.model.tokenizer, sample->ids, sample->trained) + "\n";
    --count;
  }
  return text;
}

/// A prompt and an answer, which is trained.
std::string shown_sequence(std::string_view name, const OrpoSequence& sequence,
                           const OrpoSequence& whole, const Tokenizer& tokenizer) {
  std::vector<int64_t> ids = sequence.prompt;
  ids.insert(ids.end(), sequence.answer.begin(), sequence.answer.end());
  std::vector<uint8_t> trained(ids.size(), 0);
  std::fill(trained.begin() + std::ssize(sequence.prompt), trained.end(), uint8_t{1});
  return concat(name, ": ",
                counts(ids.size(), std::ssize(sequence.answer),
                       whole.prompt.size() + whole.answer.size())) +
         marked_tokens(tokenizer, ids, trained) + "\n";
}

std::string shown_pairs(const OrpoStage& stage, const SurveyInputs& inputs, int64_t count) {
  if (stage.uses_ranked_pairs()) return "its pairs are not there before the stage rank has run\n";
  const Tokenizer& tokenizer = inputs.model.tokenizer;
  std::string text;
  for (const EncodedRow& one : first_pairs(stage, inputs, count)) {
    text += concat("\nline ", one.row.line, "\n");
    const auto whole = [&](const std::string& answer) {
      return encode_orpo_sequence(tokenizer, one.row.prompt, answer);
    };
    text += shown_sequence("chosen", one.pair.chosen, whole(one.row.chosen), tokenizer);
    text += shown_sequence("rejected", one.pair.rejected, whole(one.row.rejected), tokenizer);
  }
  return text;
}

}  // namespace

std::string marked_tokens(const Tokenizer& tokenizer, std::span<const int64_t> ids,
                          std::span<const uint8_t> trained) {
  std::string text;
  for (size_t i = 0; i < ids.size(); ++i) {
    const bool was_trained = i > 0 && trained[i - 1] != 0;
    const bool is_trained = trained[i] != 0;
    if (was_trained && !is_trained) text += kEnd;
    if (!was_trained && is_trained) text += kBegin;
    if (i > 0 && was_trained == is_trained) text += kBetween;
    const std::string token = text_of_token(tokenizer, ids[i]);
    text += printable(token, token.size());
  }
  if (!trained.empty() && trained.back() != 0) text += kEnd;
  return text;
}

std::string preview_samples(const Recipe& recipe, int64_t count) {
  const auto trains = [](const StagePtr& stage) {
    return stage->name() == SftStage::kName || stage->name() == OrpoStage::kName;
  };
  const auto found = std::find_if(recipe.stages.begin(), recipe.stages.end(), trains);
  XKDE_CHECK(found != recipe.stages.end(), ConfigError, recipe.origin.file,
             ": expected a stage sft or orpo, whose samples are shown, found none");
  const auto index = static_cast<size_t>(found - recipe.stages.begin());
  const PretrainedModel model = open_pretrained(recipe.model.model_name_or_path);
  const ChatTemplate chat_template =
      ChatTemplate::select(recipe.model.chat_template, own_template(model, recipe.model.chat_date));
  const RunPlace place{};
  const Artifacts artifacts{};
  RunData data;
  const SurveyInputs inputs{recipe, index, model, chat_template, place, artifacts, data};
  const Stage& stage = **found;
  const std::string title =
      concat("samples of ", stage_folder_name(index, stage.name()), "; ", kBetween,
             " parts tokens, ", kBegin, kEnd, " hold what is trained\n");
  if (const auto* sft = dynamic_cast<const SftStage*>(&stage))
    return title + shown_samples(*sft, inputs, count);
  return title + shown_pairs(as<OrpoStage>(stage), inputs, count);
}

}  // namespace xkde::recipe
