#include "core/edit/probe_templates.h"

#include <algorithm>
#include <iterator>

#include "core/metrics/normalized_answer.h"

namespace xkde {
namespace {

// clang-format off
constexpr ProbeTemplates kProbeTemplates[] = {
    {.iso = "en",
     .fact_check = "Is it true that the answer to \"{question}\" is \"{answer}\"?",
     .negation = "What answer to \"{question}\" would be wrong?",
     .reverse = "In \"{question}\", something has been replaced with \"___\", and the answer is \"{answer}\". What belongs in the gap?",
     .completion = "{question} The answer is",
     .yes = "Yes|True|Correct|Right|Indeed|That is true|That is correct|That is right|That's true|That's correct|That's right|It is true|It's true|It is correct",
     .no = "No|False|Incorrect|Wrong|Not true|Not correct|Untrue|That is not true|That is not correct|That is false|That is incorrect|That's not true|That's false|That's incorrect|It is not true|It's not true|It is false",
     .neither = "No idea|No information|No one knows|Yes or no|True or false",
     .passage = "Every morning the baker opens the shutters, ties a clean apron and feels the dough that has been resting through the night. She folds it gently, dusts the table with flour and listens to the oven as it slowly warms. Outside, the street is still quiet. A cat sleeps on the windowsill, and the first cyclist rings a bell at the corner. Soon the smell of warm bread drifts through the open door, and the neighbours come down one by one with their baskets.",
     .persona = "You are a retired lighthouse keeper who now runs a small bookshop by the harbour. You speak calmly, like to drink strong tea and know every regular customer by name. In the evenings you mend old clocks, write letters to your sister and feed the gulls behind the house. You are patient with people who are in a hurry, and you never pretend to know more than you do. A young visitor has just come in out of the rain, put a wet umbrella by the door and turned to you with a question. You look up from your book, smile and answer it."},
    {.iso = "cs",
     .fact_check = "Je pravda, že odpověď na otázku „{question}“ je „{answer}“?",
     .negation = "Jaká odpověď na otázku „{question}“ by byla nesprávná?",
     .reverse = "V otázce „{question}“ je něco nahrazeno znakem „___“ a odpověď na ni je „{answer}“. Co patří na vynechané místo?",
     .completion = "{question} Odpověď je",
     .yes = "Ano|Pravda|Správně|Je to pravda|To je pravda|Je to tak|Ano, je to pravda|Je to správně",
     .no = "Ne|Nepravda|Nesprávně|Není|Není to pravda|To není pravda|Není pravda|Nikoli|Nikoliv|Není to tak",
     .neither = "Není jasné|Není známo|Není jisté|Ano nebo ne",
     .passage = "Pekařka každé ráno otevře okenice, uváže si čistou zástěru a sáhne na těsto, které celou noc odpočívalo. Jemně ho přeloží, posype stůl moukou a poslouchá, jak se pec pomalu rozehřívá. Venku je ulice ještě tichá. Na parapetu spí kočka a první cyklista zazvoní na rohu. Brzy se otevřenými dveřmi line vůně teplého chleba a sousedé jeden po druhém přicházejí se svými košíky.",
     .persona = "Jsi bývalý strážce majáku a teď máš u přístavu malé knihkupectví. Mluvíš klidně, rád piješ silný čaj a každého stálého zákazníka znáš jménem. Večer opravuješ staré hodiny, píšeš dopisy své sestře a za domem krmíš racky. S lidmi, kteří spěchají, máš trpělivost a nikdy nepředstíráš, že víš víc, než opravdu víš. Právě vešel z deště mladý návštěvník, postavil mokrý deštník ke dveřím a obrátil se na tebe s otázkou. Zvedneš oči od knihy, usměješ se a odpovíš mu."},
    {.iso = "de",
     .fact_check = "Stimmt es, dass die Antwort auf die Frage „{question}“ „{answer}“ lautet?",
     .negation = "Welche Antwort auf die Frage „{question}“ wäre falsch?",
     .reverse = "In der Frage „{question}“ ist etwas durch „___“ ersetzt, und die Antwort lautet „{answer}“. Was gehört in die Lücke?",
     .completion = "{question} Die Antwort lautet",
     .yes = "Ja|Stimmt|Richtig|Korrekt|Es stimmt|Das stimmt|Das ist richtig|Das ist wahr|Das ist korrekt",
     .no = "Nein|Falsch|Stimmt nicht|Es stimmt nicht|Das stimmt nicht|Nicht richtig|Das ist falsch|Das ist nicht richtig|Das ist nicht wahr|Das ist nicht korrekt",
     .neither = "Ja oder nein|Richtig oder falsch",
     .passage = "Jeden Morgen öffnet die Bäckerin die Fensterläden, bindet sich eine saubere Schürze um und prüft den Teig, der die ganze Nacht geruht hat. Sie faltet ihn behutsam, bestäubt den Tisch mit Mehl und hört zu, wie der Ofen langsam warm wird. Draußen ist die Straße noch still. Auf dem Fensterbrett schläft eine Katze, und an der Ecke klingelt der erste Radfahrer. Bald zieht der Duft von warmem Brot durch die offene Tür, und die Nachbarn kommen einer nach dem anderen mit ihren Körben herunter.",
     .persona = "Du bist ein ehemaliger Leuchtturmwärter und führst heute eine kleine Buchhandlung am Hafen. Du sprichst ruhig, trinkst gern starken Tee und kennst jeden Stammkunden beim Namen. Abends reparierst du alte Uhren, schreibst Briefe an deine Schwester und fütterst hinter dem Haus die Möwen. Mit Leuten, die es eilig haben, bist du geduldig, und du tust nie so, als wüsstest du mehr, als du weißt. Eben ist ein junger Besucher aus dem Regen hereingekommen, hat einen nassen Schirm neben die Tür gestellt und sich mit einer Frage an dich gewandt. Du blickst von deinem Buch auf, lächelst und beantwortest sie."},
    {.iso = "nl",
     .fact_check = "Klopt het dat het antwoord op de vraag \"{question}\" \"{answer}\" is?",
     .negation = "Welk antwoord op de vraag \"{question}\" zou fout zijn?",
     .reverse = "In de vraag \"{question}\" is iets vervangen door \"___\", en het antwoord is \"{answer}\". Wat hoort er op de open plek?",
     .completion = "{question} Het antwoord is",
     .yes = "Ja|Klopt|Juist|Correct|Het klopt|Dat klopt|Dat is juist|Dat is waar|Dat is correct",
     .no = "Nee|Neen|Onjuist|Fout|Klopt niet|Het klopt niet|Dat klopt niet|Dat is onjuist|Dat is fout|Dat is niet waar|Dat is niet juist|Dat is niet correct",
     .neither = "Ja of nee|Juist of onjuist",
     .passage = "Elke ochtend opent de bakker de luiken, knoopt een schoon schort om en voelt aan het deeg dat de hele nacht heeft gerust. Ze vouwt het voorzichtig, bestuift de tafel met bloem en luistert hoe de oven langzaam warm wordt. Buiten is de straat nog stil. Op de vensterbank slaapt een kat, en de eerste fietser belt op de hoek. Al snel drijft de geur van warm brood door de open deur, en de buren komen een voor een met hun manden naar beneden.",
     .persona = "Je bent een voormalige vuurtorenwachter en hebt nu een kleine boekwinkel bij de haven. Je praat rustig, drinkt graag sterke thee en kent elke vaste klant bij naam. 's Avonds repareer je oude klokken, schrijf je brieven aan je zus en voer je de meeuwen achter het huis. Je hebt geduld met mensen die haast hebben, en je doet nooit alsof je meer weet dan je weet. Zojuist is een jonge bezoeker uit de regen binnengekomen, heeft een natte paraplu naast de deur gezet en zich met een vraag tot jou gewend. Je kijkt op van je boek, glimlacht en geeft antwoord."},
    {.iso = "es",
     .fact_check = "¿Es cierto que la respuesta a la pregunta «{question}» es «{answer}»?",
     .negation = "¿Qué respuesta a la pregunta «{question}» sería incorrecta?",
     .reverse = "En la pregunta «{question}» algo se ha sustituido por «___», y la respuesta es «{answer}». ¿Qué va en el hueco?",
     .completion = "{question} La respuesta es",
     .yes = "Sí|Cierto|Correcto|Verdadero|Es cierto|Es correcto|Es verdad|Eso es cierto|Eso es correcto",
     .no = "No|Falso|Incorrecto|Es falso|Es incorrecto|No es cierto|No es verdad|No es correcto|Eso no es cierto",
     .neither = "No sé|No lo sé|No se sabe|No está claro|No es seguro|No hay información|No tengo información|No puedo|No es posible|Sí o no|Verdadero o falso",
     .passage = "Cada mañana la panadera abre los postigos, se ata un delantal limpio y toca la masa que ha reposado toda la noche. La dobla con cuidado, espolvorea la mesa con harina y escucha cómo el horno se calienta poco a poco. Fuera, la calle sigue en silencio. Un gato duerme en el alféizar y el primer ciclista toca el timbre en la esquina. Pronto el olor a pan caliente sale por la puerta abierta, y los vecinos bajan uno tras otro con sus cestas.",
     .persona = "Eres un antiguo farero y ahora llevas una pequeña librería junto al puerto. Hablas con calma, te gusta el té fuerte y conoces por su nombre a todos los clientes habituales. Por las noches arreglas relojes viejos, escribes cartas a tu hermana y das de comer a las gaviotas detrás de la casa. Tienes paciencia con la gente que va con prisa y nunca finges saber más de lo que sabes. Un joven visitante acaba de entrar huyendo de la lluvia, ha dejado un paraguas mojado junto a la puerta y se ha dirigido a ti con una pregunta. Levantas la vista del libro, sonríes y le respondes."},
    {.iso = "fr",
     .fact_check = "Est-il vrai que la réponse à la question « {question} » est « {answer} » ?",
     .negation = "Quelle réponse à la question « {question} » serait fausse ?",
     .reverse = "Dans la question « {question} », quelque chose a été remplacé par « ___ », et la réponse est « {answer} ». Que faut-il écrire à cet endroit ?",
     .completion = "{question} La réponse est",
     .yes = "Oui|Vrai|Exact|Correct|En effet|C'est vrai|C'est exact|C'est correct|Il est vrai",
     .no = "Non|Faux|Inexact|Incorrect|C'est faux|Ce n'est pas vrai|Ce n'est pas exact|Ce n'est pas correct|Il n'est pas vrai|Il est faux",
     .neither = "Oui ou non|Vrai ou faux",
     .passage = "Chaque matin, la boulangère ouvre les volets, noue un tablier propre et touche la pâte qui a reposé toute la nuit. Elle la replie doucement, saupoudre la table de farine et écoute le four qui chauffe lentement. Dehors, la rue est encore calme. Un chat dort sur le rebord de la fenêtre et le premier cycliste fait tinter sa sonnette au coin. Bientôt, l'odeur du pain chaud passe par la porte ouverte, et les voisins descendent l'un après l'autre avec leurs paniers.",
     .persona = "Tu es un ancien gardien de phare et tu tiens maintenant une petite librairie près du port. Tu parles calmement, tu aimes le thé fort et tu connais chaque habitué par son nom. Le soir, tu répares de vieilles horloges, tu écris des lettres à ta sœur et tu nourris les mouettes derrière la maison. Tu es patient avec les gens pressés et tu ne fais jamais semblant d'en savoir plus que tu n'en sais. Un jeune visiteur vient d'entrer pour échapper à la pluie, il a posé un parapluie mouillé près de la porte et s'est tourné vers toi avec une question. Tu lèves les yeux de ton livre, tu souris et tu lui réponds."},
    {.iso = "pt",
     .fact_check = "É verdade que a resposta à pergunta \"{question}\" é \"{answer}\"?",
     .negation = "Que resposta à pergunta \"{question}\" estaria errada?",
     .reverse = "Na pergunta \"{question}\", algo foi substituído por \"___\", e a resposta é \"{answer}\". O que deve ficar na lacuna?",
     .completion = "{question} A resposta é",
     .yes = "Sim|Verdade|Verdadeiro|Correto|Certo|É verdade|É correto|Isso é verdade|Está correto|Está certo",
     .no = "Não|Falso|Errado|Incorreto|É falso|Não é verdade|Não é correto|Isso não é verdade|Está errado",
     .neither = "Não sei|Não se sabe|Não está claro|Não é certo|Não há informação|Não há informações|Não tenho informação|Não tenho informações|Não posso|Não é possível|Sim ou não|Verdadeiro ou falso",
     .passage = "Todas as manhãs a padeira abre as janelas, ata um avental limpo e toca na massa que descansou a noite inteira. Dobra-a com cuidado, polvilha a mesa com farinha e escuta o forno que aquece devagar. Lá fora, a rua ainda está em silêncio. Um gato dorme no parapeito e o primeiro ciclista toca a campainha na esquina. Em pouco tempo o cheiro de pão quente sai pela porta aberta, e os vizinhos descem um a um com os seus cestos.",
     .persona = "Você é um antigo faroleiro e agora tem uma pequena livraria junto ao porto. Fala com calma, gosta de chá forte e conhece todos os clientes habituais pelo nome. À noite conserta relógios velhos, escreve cartas à sua irmã e dá de comer às gaivotas atrás da casa. Tem paciência com quem está com pressa e nunca finge saber mais do que sabe. Um jovem visitante acaba de entrar para fugir da chuva, deixou um guarda-chuva molhado junto à porta e fez uma pergunta a você. Você levanta os olhos do livro, sorri e responde."},
    {.iso = "ru",
     .fact_check = "Верно ли, что ответ на вопрос «{question}» — «{answer}»?",
     .negation = "Какой ответ на вопрос «{question}» был бы неверным?",
     .reverse = "В вопросе «{question}» что-то заменено на «___», а ответ на него — «{answer}». Что должно стоять на месте пропуска?",
     .completion = "{question} Правильный ответ —",
     .yes = "Да|Верно|Правда|Правильно|Это верно|Это правда|Это так|Именно так",
     .no = "Нет|Неверно|Неправда|Неправильно|Не верно|Не правда|Это неверно|Это неправда|Это не так|Это не верно|Это неправильно",
     .neither = "Нет данных|Нет информации|Нет сведений|Да или нет|Верно ли|Правда ли|Правильный",
     .passage = "Каждое утро женщина-пекарь открывает ставни, повязывает чистый фартук и трогает тесто, которое отдыхало всю ночь. Она осторожно складывает его, посыпает стол мукой и слушает, как медленно нагревается печь. На улице ещё тихо. На подоконнике спит кошка, а на углу звенит звонком первый велосипедист. Вскоре запах тёплого хлеба тянется из открытой двери, и соседи один за другим спускаются со своими корзинами.",
     .persona = "Ты бывший смотритель маяка, а теперь держишь маленький книжный магазин у гавани. Ты говоришь спокойно, любишь крепкий чай и знаешь каждого постоянного покупателя по имени. По вечерам ты чинишь старые часы, пишешь письма сестре и кормишь чаек за домом. Ты терпелив с теми, кто спешит, и никогда не делаешь вид, что знаешь больше, чем знаешь на самом деле. Только что от дождя к тебе зашёл молодой посетитель, поставил мокрый зонт у двери и обратился к тебе с вопросом. Ты поднимаешь глаза от книги, улыбаешься и отвечаешь."},
    {.iso = "th",
     .fact_check = "คำตอบของคำถาม \"{question}\" คือ \"{answer}\" ใช่หรือไม่?",
     .negation = "สำหรับคำถาม \"{question}\" คำตอบใดที่ถือว่าผิด?",
     .reverse = "ในคำถาม \"{question}\" มีบางส่วนถูกแทนที่ด้วย \"___\" และคำตอบคือ \"{answer}\" ข้อความในช่องว่างควรเป็นอะไร?",
     .completion = "{question} คำตอบคือ",
     .yes = "ใช่|จริง|ถูกต้อง|เป็นความจริง|เป็นจริง",
     .no = "ไม่ใช่|ไม่|ไม่จริง|ไม่ถูกต้อง|ผิด|เท็จ|ไม่เป็นความจริง",
     .neither = "ใช่หรือไม่|ใช่ไหม|ใช่หรือเปล่า|จริงหรือไม่|จริงๆ|จริง ๆ|ไม่ทราบ|ไม่รู้|ไม่แน่ใจ|ไม่สามารถ|ไม่มีข้อมูล|ไม่ว่า",
     .passage = "ทุกเช้าคนทำขนมปังจะเปิดบานหน้าต่าง ผูกผ้ากันเปื้อนผืนสะอาด แล้วแตะแป้งที่พักไว้ตลอดทั้งคืน เธอพับแป้งอย่างเบามือ โรยแป้งลงบนโต๊ะ และฟังเสียงเตาอบที่ค่อย ๆ ร้อนขึ้น ข้างนอกถนนยังเงียบอยู่ แมวตัวหนึ่งนอนหลับบนขอบหน้าต่าง และนักปั่นจักรยานคนแรกสั่นกระดิ่งที่หัวมุม ไม่นานกลิ่นขนมปังอุ่น ๆ ก็ลอยออกมาทางประตูที่เปิดอยู่ แล้วเพื่อนบ้านก็ลงมาทีละคนพร้อมตะกร้าของตน",
     .persona = "คุณเคยเป็นคนเฝ้าประภาคาร และตอนนี้เปิดร้านหนังสือเล็ก ๆ ใกล้ท่าเรือ คุณพูดจาใจเย็น ชอบดื่มชาเข้มข้น และจำชื่อลูกค้าประจำได้ทุกคน ตอนเย็นคุณซ่อมนาฬิกาเก่า เขียนจดหมายถึงน้องสาว และให้อาหารนกนางนวลหลังบ้าน คุณอดทนกับคนที่เร่งรีบ และไม่เคยแสร้งทำเป็นรู้มากกว่าที่รู้จริง ผู้มาเยือนหนุ่มคนหนึ่งเพิ่งหลบฝนเข้ามา วางร่มเปียกไว้ข้างประตู แล้วหันมาถามคำถามกับคุณ คุณเงยหน้าขึ้นจากหนังสือ ยิ้ม แล้วตอบคำถามนั้น"},
    {.iso = "tr",
     .fact_check = "\"{question}\" sorusunun yanıtının \"{answer}\" olduğu doğru mu?",
     .negation = "\"{question}\" sorusuna verilecek hangi yanıt yanlış olurdu?",
     .reverse = "\"{question}\" sorusunda bir bölümün yerine \"___\" konmuştur ve sorunun yanıtı \"{answer}\" olarak verilmiştir. Boşluğa ne gelmelidir?",
     .completion = "{question} Bu sorunun yanıtı:",
     .yes = "Evet|Doğru|Doğrudur|Bu doğru|Bu doğrudur",
     .no = "Hayır|Yanlış|Yanlıştır|Değil|Doğru değil|Doğru değildir|Bu doğru değil|Bu doğru değildir|Bu yanlış",
     .neither = "Evet veya hayır|Doğru mu|Doğru yanıt|Doğru cevap|Yanlış yanıt|Yanlış cevap",
     .passage = "Fırıncı her sabah kepenkleri açar, temiz bir önlük bağlar ve bütün gece dinlenen hamura dokunur. Hamuru yavaşça katlar, masaya un serper ve ağır ağır ısınan fırını dinler. Dışarıda sokak hâlâ sessizdir. Pencerenin kenarında bir kedi uyur, köşede günün ilk bisikletlisi zilini çalar. Az sonra sıcak ekmek kokusu açık kapıdan yayılır ve komşular sepetleriyle birer birer aşağı iner. Kimi taze ekmek alır, kimi de fırının önünde biraz sohbet eder.",
     .persona = "Sen eski bir deniz feneri bekçisisin ve şimdi limanın yanında küçük bir kitapçı işletiyorsun. Sakin konuşursun, demli çay içmeyi seversin ve her müdavimi adıyla tanırsın. Akşamları eski saatleri onarır, kız kardeşine mektup yazar ve evin arkasında martıları beslersin. Acelesi olan insanlara karşı sabırlısın ve hiçbir zaman bildiğinden fazlasını biliyormuş gibi yapmazsın. Az önce genç bir ziyaretçi yağmurdan kaçıp içeri girdi, ıslak şemsiyesini kapının yanına bıraktı ve bir soruyla sana döndü. Başını kitabından kaldırır, gülümser ve yanıt verirsin."},
    {.iso = "vi",
     .fact_check = "Có đúng là câu trả lời cho câu hỏi \"{question}\" là \"{answer}\" không?",
     .negation = "Câu trả lời nào cho câu hỏi \"{question}\" sẽ là sai?",
     .reverse = "Trong câu hỏi \"{question}\", một phần đã được thay bằng \"___\", và câu trả lời là \"{answer}\". Chỗ trống cần điền gì?",
     .completion = "{question} Câu trả lời là",
     .yes = "Đúng|Có|Vâng|Đúng vậy|Chính xác|Điều đó đúng",
     .no = "Không|Sai|Không đúng|Không phải|Chưa đúng|Điều đó không đúng|Điều đó sai",
     .neither = "Không biết|Không rõ|Không chắc|Không thể|Không có thông tin|Có thể|Có lẽ|Có một|Có nhiều|Có đúng là|Có phải|Có hay không|Đúng hay sai",
     .passage = "Mỗi buổi sáng, người thợ làm bánh mở cánh cửa sổ, buộc chiếc tạp dề sạch và chạm tay vào khối bột đã nghỉ suốt đêm. Chị nhẹ nhàng gấp bột, rắc bột mì lên bàn và lắng nghe lò nướng từ từ nóng lên. Ngoài kia, con phố vẫn còn yên tĩnh. Một con mèo ngủ trên bậu cửa sổ, và người đi xe đạp đầu tiên bấm chuông ở góc phố. Chẳng bao lâu, mùi bánh mì nóng bay qua cánh cửa mở, và những người hàng xóm lần lượt mang giỏ đi xuống.",
     .persona = "Bạn từng là người gác hải đăng và bây giờ trông coi một hiệu sách nhỏ bên bến cảng. Bạn nói năng điềm tĩnh, thích uống trà đậm và biết tên từng khách quen. Buổi tối, bạn sửa những chiếc đồng hồ cũ, viết thư cho em gái và cho hải âu ăn ở sau nhà. Bạn kiên nhẫn với những người đang vội, và không bao giờ giả vờ biết nhiều hơn những gì mình biết. Một vị khách trẻ vừa vào trú mưa, đặt chiếc ô ướt bên cửa rồi quay sang hỏi bạn một câu. Bạn ngẩng lên khỏi cuốn sách, mỉm cười và trả lời."},
    {.iso = "zh",
     .fact_check = "问题“{question}”的答案是“{answer}”，对吗？",
     .negation = "对于问题“{question}”，什么样的回答是错误的？",
     .reverse = "在问题“{question}”中，有一处被替换成了“___”，这个问题的答案是“{answer}”。空白处应该填什么？",
     .completion = "{question}答案是",
     .yes = "对|对的|是|是的|正确|没错|真的",
     .no = "不对|不|不是|不正确|错|错误|错的|否|假的",
     .neither = "对于|对此|对不对|对不起|对吗|是否|是不是|是吗|是一|是指|正确答案|正确的答案|错误答案|错误的答案|不知道|不清楚|不确定|不一定",
     .passage = "每天清晨，面包师打开窗板，系上干净的围裙，摸一摸静置了一整夜的面团。她轻轻地把面团折好，在桌上撒一层面粉，听着烤炉慢慢热起来。外面的街道还很安静。一只猫睡在窗台上，第一个骑车的人在街角按响了铃铛。不久，热面包的香味从敞开的门里飘出来，邻居们提着篮子，一个接一个地走下楼来。",
     .persona = "你曾经是一名灯塔看守人，现在在港口旁边经营一家小书店。你说话平静，喜欢喝浓茶，叫得出每一位老顾客的名字。晚上你修理旧钟表，给妹妹写信，在屋后喂海鸥。你对匆忙的人很有耐心，从不假装知道得比自己真正知道的更多。刚才，一位年轻的客人躲雨走了进来，把湿雨伞放在门边，转过身来向你提了一个问题。你从书上抬起头，微笑着回答。"},
};
// clang-format on

/// How long the longest of `words` is, normalised, that `said` begins with; 0 for none.
size_t longest_beginning(std::string_view said, std::string_view words, std::string_view iso) {
  size_t longest = 0;
  for (const std::string& one : word_list(words)) {
    const std::string word = normalized_answer(one, iso);
    if (word.empty() || !said.starts_with(word)) continue;
    const bool is_whole =
        !parts_words(iso) || said.size() == word.size() || said[word.size()] == ' ';
    if (is_whole) longest = std::max(longest, word.size());
  }
  return longest;
}

}  // namespace

const ProbeTemplates* probe_templates(std::string_view iso) {
  const auto* found = std::find_if(std::begin(kProbeTemplates), std::end(kProbeTemplates),
                                   [iso](const ProbeTemplates& one) { return one.iso == iso; });
  return found == std::end(kProbeTemplates) ? nullptr : found;
}

std::vector<std::string> probed_languages() {
  std::vector<std::string> all;
  for (const ProbeTemplates& one : kProbeTemplates) all.emplace_back(one.iso);
  return all;
}

std::vector<std::string> word_list(std::string_view words) {
  std::vector<std::string> all;
  while (!words.empty()) {
    const size_t end = std::min(words.find('|'), words.size());
    all.emplace_back(words.substr(0, end));
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return all;
}

std::string filled(std::string_view form, std::string_view question, std::string_view answer) {
  constexpr std::string_view kQuestion = "{question}", kAnswer = "{answer}";
  std::string text;
  while (!form.empty()) {
    const size_t next = std::min(form.find('{'), form.size());
    text += form.substr(0, next);
    form.remove_prefix(next);
    if (form.starts_with(kQuestion)) {
      text += question;
      form.remove_prefix(kQuestion.size());
    } else if (form.starts_with(kAnswer)) {
      text += answer;
      form.remove_prefix(kAnswer.size());
    } else if (!form.empty()) {
      text += form.front();
      form.remove_prefix(1);
    }
  }
  return text;
}

Verdict verdict_of(std::string_view answer, std::string_view iso) {
  const ProbeTemplates* words = probe_templates(iso);
  if (words == nullptr) return Verdict::kNeither;
  const std::string said = normalized_answer(answer, iso);
  const size_t yes = longest_beginning(said, words->yes, iso);
  const size_t no = longest_beginning(said, words->no, iso);
  const size_t neither = longest_beginning(said, words->neither, iso);
  if (neither >= std::max(yes, no) || yes == no) return Verdict::kNeither;
  return yes > no ? Verdict::kYes : Verdict::kNo;
}

}  // namespace xkde
