#include "core/edit/brief_instruction.h"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>

#include "core/base/error.h"

namespace xkde {
namespace {

// clang-format off
constexpr BriefInstruction kBrief[] = {
    {"en", "Answer the following question as briefly as possible, with the answer alone.", "Answer:"},
    {"cs", "Odpověz na následující otázku co nejstručněji, pouze samotnou odpovědí.", "Odpověď:"},
    {"de", "Beantworte die folgende Frage so kurz wie möglich, nur mit der Antwort selbst.", "Antwort:"},
    {"nl", "Beantwoord de volgende vraag zo kort mogelijk, met alleen het antwoord.", "Antwoord:"},
    {"es", "Responde a la siguiente pregunta lo más brevemente posible, solo con la respuesta.", "Respuesta:"},
    {"fr", "Réponds à la question suivante le plus brièvement possible, uniquement par la réponse.", "Réponse :"},
    {"pt", "Responda à seguinte pergunta da forma mais breve possível, apenas com a resposta.", "Resposta:"},
    {"ru", "Ответь на следующий вопрос как можно короче, одним только ответом.", "Ответ:"},
    {"th", "ตอบคำถามต่อไปนี้ให้สั้นที่สุด โดยให้เฉพาะคำตอบเท่านั้น", "คำตอบ:"},
    {"tr", "Aşağıdaki soruyu olabildiğince kısa, yalnızca yanıtın kendisiyle yanıtla.", "Yanıt:"},
    {"vi", "Hãy trả lời câu hỏi sau thật ngắn gọn, chỉ nêu câu trả lời.", "Trả lời:"},
    {"zh", "请尽可能简短地回答下面的问题，只给出答案。", "答案："},
    {"ar", "أجب عن السؤال التالي بأقصر ما يمكن، واذكر الجواب وحده.", "الجواب:"},
    {"hu", "Válaszolj a következő kérdésre a lehető legrövidebben, csak magával a válasszal.", "Válasz:"},
    {"it", "Rispondi alla seguente domanda nel modo più breve possibile, con la sola risposta.", "Risposta:"},
    {"ja", "次の質問にできるだけ短く、答えだけを述べてください。", "答え："},
    {"ko", "다음 질문에 가능한 한 짧게, 답만 말하십시오.", "답:"},
    {"pl", "Odpowiedz na poniższe pytanie jak najkrócej, podając samą odpowiedź.", "Odpowiedź:"},
    {"sv", "Besvara följande fråga så kort som möjligt, med enbart svaret.", "Svar:"},
    {"uk", "Дай відповідь на наступне запитання якомога коротше, лише саму відповідь.", "Відповідь:"},
};
// clang-format on

}  // namespace

const BriefInstruction* brief_instruction(std::string_view iso) {
  const auto* found = std::find_if(std::begin(kBrief), std::end(kBrief),
                                   [iso](const BriefInstruction& one) { return one.iso == iso; });
  return found == std::end(kBrief) ? nullptr : found;
}

std::vector<std::string> briefly_asked_languages() {
  std::vector<std::string> all;
  for (const BriefInstruction& one : kBrief) all.emplace_back(one.iso);
  return all;
}

std::string ask_briefly(std::string_view text, std::string_view iso) {
  const BriefInstruction* words = brief_instruction(iso);
  XKDE_CHECK(words != nullptr, ConfigError, "an instruction to answer briefly: expected ",
             fmt::format("{}", fmt::join(briefly_asked_languages(), ", ")), ", found ", iso);
  return concat(words->sentence, "\n\n", text, "\n", words->answer);
}

}  // namespace xkde
