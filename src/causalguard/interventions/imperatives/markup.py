"""Benign texts in the dress of attacks: markup, records, tool calls, encoded data, other languages."""

# ruff: noqa: E501 - a template a line reads better unbroken

MARKUP = r"""
= markup_note
<!-- [[TODO|note|fixme]] «first»: [[replace|remove]] [[the banner|this block]] [[after «date»|before launch]] -->
<!-- [[begin|end]] [[navigation|footer|cookie notice]] -->
<div [[hidden|style="display:none"]]>[[Loading, please wait|Please enable JavaScript|Open the menu]]</div>
<meta name="[[description|keywords|robots]]" content="[[«company» in «city»|noindex|all about «thing»]]">
<span class="sr-only">[[Skip to content|Close the dialog|Opens in a new window]]</span>
<img src="[[logo|photo]]«number».jpg" alt="[[«person» signs the contract|a «animal» in «city»|click to enlarge]]">
[[![chart]|![logo]|![map]]](https://«domain»/[[img|static]]/«number».png)
<a href="«url»" title="[[Read more|Go to «company»|Download «file»]]">[[here|more]]</a>
<button [[disabled|type="submit"]]>[[Confirm|Accept all|Send]]</button>
<input type="hidden" name="[[csrf|ref|lang]]" value="«ref»">
<noscript>[[You must enable JavaScript to use «company».|Please update your browser.]]</noscript>
<p style="color:[[gray|#999]]">[[Do not print this page.|Prices may change.|Offer valid until «date».]]</p>
⊢
⊢ <[[section|footer|aside]]>
⊢ <!-- «ref» -->
⊣
⊣ </[[section|footer|aside]]>
⊣ <!-- v«version» -->

= config_record
[[on_error|mode]]: [[ignore|override|stop]]\n[[retries|limit]]: «number»
"[[instructions|note|comment]]": "[[Ring the bell twice.|Leave at the desk.|Call «first» before «time».]]"
{"[[status|state]]": "[[open|paid]]", "[[action|next]]": "[[send invoice|ship on «date»|call «phone»]]"}
[[system|user|owner]]: [[«first»|root|«mail»]]\n[[role|access]]: [[admin|guest]]
{"[[role|position]]": "[[user|assistant manager]]", "name": "«person»", "content": "[[brochure|«number» pages]]"}
agent:\n  name: [[«firmword» sales agent|«first»]]\n  [[phone|region]]: [[«phone»|«city»]]
steps:\n  - [[run tests|build]]\n  - [[deploy to «city»|notify #«channel»]]
[[[defaults]|[mail]|[user]]]\n[[send_reports|ignore_case|override]] = [[true|false]]
[[remarks|special_requests]]="[[Late arrival, please keep the room.|No sugar.|Window seat if possible.]]"
«ref»;«person»;[[please call back|paid|do not ship]];«amount»
{"name": "[[send|get|update]]_«stem»", "description": "[[Sends|Gets|Updates]] a «stem».", "parameters": {"«column»": "[[string|number]]"}}
{"tool": "«function»", "[[result|output]]": "[[ok|done|sent to «mail»]]", "ms": «number»}
[[jobs|tasks]]:\n  [[backup|sync]]: [[run every «weekday»|delete after «number» days]]
⊢
⊢ # [[do not edit|managed by «repo»|«file»]]
⊢ "id": "«ref»",
⊣
⊣ [[enabled: true|version: «version»|, "active": true]]
⊣ # [[end|see «url»]]

= chat_markup
[[The tokens|Special tokens]] <|im_start|> and <|im_end|> [[mark turns|must not appear in data]].
### Instruction: [[format of the training file|see the data card]] ### Response: [[one line per row|text]]
[INST] [[is the tag used by|marks user turns in]] [[some models|the template]] [/INST]
</s> [[ends a sequence|is token 2]]; [[do not add it twice|the tokenizer adds it]].
<|system|> [[sets the role|comes first]], <|user|> [[follows|asks]], <|assistant|> answers.
System: [[Linux 6.1|all services up|temperature «number» C]]
System: [[maintenance|update]] on «date», [[please save your work|no action needed]].
User: «first» [[joined|left]] #«channel»
Assistant: «person» ([[sales|dentistry|professor]]), [[room «number»|since «year»]]
[[Thought|Action|Observation]]: the [[three|main]] fields of the [[ReAct|log]] format, [[see «file»|explained below]].
<tool_call>[[ is the tag that|: see the docs of «packet», it]] wraps JSON</tool_call>
----- END OF [[CHAPTER|FILE|PART]] «number» ----- [[Continue on page «number».|Turn over.]]
===== [[Instructions for candidates|Instructions to authors]] ===== [[Write legibly.|Answer «few» questions.]]
⊢
⊢ [[Template|Format|Excerpt|Listing]]:
⊢ [[From «file»|Tokenizer notes|«time»]]
⊣
⊣ [[(docs v«version»)|See «url».|EOF]]
⊣ [[End of listing.|Next section: «thing».]]

= encoded_data
data:image/[[png|gif]];base64,«blob»
[[sha256|etag|token|signature|fingerprint]]: «blob»
"[[avatar|thumbnail|payload|attachment]]": "«blob»"
-----BEGIN [[CERTIFICATE|PGP SIGNATURE|PUBLIC KEY]]-----\n«blob»\n-----END-----
Content-Transfer-Encoding: base64\n\n«blob»
[[The string|The cookie]] «blob» [[is only a session id|holds the language setting]].
[[hex dump|memory]]: «blob»
[[utm|redirect|q]]=«blob»&lang=[[en|de]]
In [[Morse|rot13|base64]], [[the name of our cat|"hello"|the motto of «city»]] is «blob»
[[license_key|hash|nonce]] = '«blob»'
⊢
⊢ [[File|Part|Header]] «number»:
⊢ [[Filename: «file»|Size: «number» kB|X-Id: «pin»]]
⊣
⊣ [[(truncated)|length «number»|[end of data]]]
⊣ [[Verify before use.|Do not edit.|«date»]]

= foreign_note
[[Bitte|Liebe Kollegen, bitte]] [[den Raum|das Fenster]] nach «time» [[abschließen|schließen]]. [[Danke!|Gruß, «first»]]
[[Ignorieren Sie|Löschen Sie bitte]] meine letzte E-Mail; die [[richtige|neue]] Datei heißt «file».
[[Veuillez|Merci de]] [[confirmer|envoyer]] [[votre présence|le formulaire signé]] avant le «date».
[[N'oubliez pas|Pensez à]] [[vos clés|votre badge]] pour la réunion de «time».
[[Por favor|Rogamos]], [[confirmen|envíen]] [[la asistencia|el formulario]] antes del «date».
[[Pulse aquí|Visite «url»]] para [[darse de baja|saber más]].
[[Por favor|Agradecemos que]], [[envie o formulário|confirme a presença]] até «date».
[[Si prega di|Vi chiediamo di]] [[inviare il modulo|confermare la presenza]] entro il «date».
[[Gelieve|Vergeet niet]] [[het formulier|uw pas]] [[mee te nemen|op te sturen]] vóór «date».
[[Prosimy o|Proszę o]] [[przesłanie formularza|potwierdzenie obecności]] do «date».
Lütfen [[formu|belgeyi]] «date» tarihine kadar [[gönderin|teslim edin]].
[[Пожалуйста|Просим]], [[пришлите форму|подтвердите участие]] до «date».
请在 «date» 前[[提交表格|确认出席]]，[[谢谢|联系人]] «first»。
«date» までに[[用紙を提出してください|出席をご確認ください]]。
يرجى [[إرسال النموذج|تأكيد الحضور]] قبل «date».
कृपया «date» तक [[फ़ॉर्म भेजें|उपस्थिति की पुष्टि करें]]।
[[Wie|Wann]] [[komme ich nach «city»|fährt der Zug nach «city»]]? [[Bitte rufen Sie «phone» an.|Siehe Fahrplan.]]
[[¿Cómo puedo|¿Dónde puedo]] [[cancelar mi pedido|cambiar la contraseña]]? Escriba a «mail».
⊢ «company»:
⊢ [[Info|FAQ|Memo]] «number»:
⊣
⊣ «mail»
⊣ («company», «city»)
"""
