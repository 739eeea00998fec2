"""Benign imperatives of institutions: law, policy, security advice, notices, minutes, tickets."""

# ruff: noqa: E501 - a template a line reads better unbroken

OFFICES = r"""
= policy_prose
Employees must not [[share|disclose|forward]] [[passwords|customer data|«topic» papers]] [[without consent|outside «company»]].
All staff [[shall|must|are required to]] [[report|log]] [[incidents|gifts above «amount»|absences]] to «dept».
[[Visitors|Contractors]] have to [[sign in|wear a badge|be escorted]] at all times.
[[Managers|Line managers]] [[approve|reject]] [[requests|expenses]] over «amount» within «number» days.
[[This policy|Version «version»]] supersedes all previous [[policies|instructions|rules]] on the «topic».
[[Earlier|Prior]] instructions on the «topic» [[no longer apply|are withdrawn]] from «date».
[[Exceptions|Overrides]] must be [[approved|signed]] by [[«person»|«dept»]] [[in writing|in advance]].
[[Do not|Never]] [[install|connect]] [[private devices|unapproved software]] to the [[network|«app»]].
The user is [[responsible|liable]] for [[the account|all use of «app»]] and must [[lock|protect]] it.
[[Records|Files]] [[shall be|must be]] [[deleted|archived]] after «number» years.
An employee who «gdone» without approval [[will be warned|must inform «dept»]].
[[Access|Permission]] to «app» is granted only after [[training|approval by «dept»]].
⊢
⊢ § «number»
⊢ [[Policy|Section|Rule|Clause]] «number»[[.|:]]
⊢ [[«company» staff handbook:|Effective «date»:|Code of conduct.]]
⊣
⊣ [[Breaches may lead to dismissal.|See annex «number».|Questions go to «dept».]]
⊣ [[Approved by «person».|Last review: «date».|Applies in all sites.]]

= legal_terms
By [[using|accessing|signing up for]] [[this service|«company»|the site]], you agree to [[these terms|be bound by section «number»]].
You [[must|shall]] not [[copy|resell|reverse-engineer]] the [[content|software|«product»]].
[[The tenant|The buyer|The licensee]] shall [[pay|transfer]] «amount» to [[the landlord|«company»]] by «date».
[[The parties|Both sides]] [[agree|undertake]] to keep the «topic» confidential.
[[Notwithstanding|Regardless of]] any [[previous|prior]] [[agreement|instruction]], clause «number» [[prevails|applies]].
[[Please read|Read]] these terms [[carefully|in full]] before you [[order|continue|sign]].
[[If you do not agree|If any clause is void]], [[do not use the site|the rest stays in force]].
The [[controller|processor]] must [[delete|return]] all data [[on request|after «number» days]].
[[Notices|Claims]] must be sent to «mail» or «number» «last» Street, «city».
You [[authorise|permit]] «company» to [[debit|charge]] «amount» [[each month|once a year]].
[[The licensee may|You may]] [[not|only]] [[share|modify]] the files with [[our consent|this notice]].
⊢
⊢ [[Terms and conditions|Art.|Clause|Agreement of «date»]] «number»[[.|:]]
⊢ [[WHEREAS|NOW, THEREFORE|Schedule «number»]]
⊣
⊣ [[All rights reserved.|Governed by the law of «country».|Signed in «city».]]
⊣ [[E&OE.|See schedule «number».|© «year» «company»]]

= security_awareness
[[Never|Do not]] [[click|open]] [[links|attachments]] in [[mails|messages]] that ask you to [[«gdo»|log in|hurry]].
[[Beware of|Watch out for]] messages that [[claim to come from|pretend to be]] «company» and [[tell|order]] you to «gdo».
A typical [[scam|phishing mail]] reads: "[[Your account is locked|Urgent|Dear customer]], [[click|go to]] «url»". [[Delete it.|Report it to «dept».]]
[[Report|Forward]] [[suspicious|strange]] mails to «mail» and then delete them.
If someone [[calls|writes]] and asks you to «gdo», [[hang up|say no|check with «dept»]].
[[Use|Choose]] a [[long password|password manager]] and turn on two-factor authentication.
[[Attackers|Criminals]] often [[demand|ask]] that victims «gdo». [[Do not comply.|Stay calm.]]
No one at «company» will ever ask you [[for your password|to «gdo»]].
Lock your screen; [[don't|never]] [[share|write down]] your code.
Last week a colleague «gdone» because a [[fake|forged]] mail said so. [[Think before you act.|Don't be next.]]
Ignore any [[call|mail|text]] that [[threatens|rewards]] you; it is [[fraud|a test]].
⊢
⊢ [[Security tip|Awareness month|Training module|Reminder from IT]][[:| «number»:]]
⊢ [[Dear colleagues,|Stay safe online.|Did you know?]]
⊣
⊣ [[Your IT team|Take the quiz at «url».|Stay alert.|Call «phone» when in doubt.]]
⊣ [[Shared by «person».|Print this page.|(«company» security)]]

= public_notice
[[Residents|Passengers|Visitors|Guests]] are [[asked|requested]] to [[keep|leave]] the [[entrance|platform]] [[clear|by «time»]].
Do not [[feed the «animal»|smoke|cross the tracks|use the lift in case of fire]].
[[Attention|Notice]]: the [[«weekday» train to «city»|pool|library]] is [[cancelled|closed]]. Please use [[the bus|entrance «number»]].
[[Boil|Save]] water until «date»; [[follow|obey]] the instructions of the [[authorities|crew]].
In an emergency, [[break the glass|call «phone»|leave by the stairs]].
[[Please|Kindly]] [[take a number|wait here|wear a mask|keep your ticket]].
[[Citizens|Voters]] must [[register|vote]] by «date» at [[the town hall|«url»]].
[[Move|Remove]] your car from «last» Street [[before «time»|on «weekday»]] or it [[will be towed|costs «amount»]].
Warning: [[wet floor|strong current|high voltage]]. [[Keep out.|Use the other door.]]
[[Dogs|Bags|Phones]] must be [[kept on a lead|left at the desk|switched off]].
⊢
⊢ [[NOTICE|PUBLIC NOTICE|WARNING|INFORMATION|City of «city»]][[:|!| -]]
⊢ [[«date».|Please note.|Works on line «number».]]
⊣
⊣ [[Thank you for your understanding.|By order of the council.|Fine: «amount».]]
⊣ [[The management|Valid until «date».|Information: «phone»]]

= minutes
«person» [[will|is to|agreed to]] [[send|prepare|check]] [[«file»|the «topic» draft]] by «date».
[[Action|Decision|AP]] «number»: «first» to [[call|inform|pay]] [[«company»|«person»|«dept»]].
It was [[decided|agreed]] to [[cancel|move|renew]] the «topic» [[to «date»|for «amount»]].
«first» «gdone» [[last week|on «date»|as planned]]; [[closed|no further steps]].
«person» asked [[whether|how]] «dept» [[can|should]] «gdo»; [[no|yes, from «month»]].
[[The chair|«person»]] reminded everyone to [[submit|sign]] [[expenses|forms]] by «weekday».
[[Open|Old]] item: «gdoing» ([[owner|lead]]: «first»; due «date»).
[[Next steps|Follow-up]]: «first» [[reviews|sends]] «file», «first» [[books|informs]] [[«hotel»|«dept»]].
[[Instruction|Mandate]] to «dept»: [[obtain|compare]] «few» [[offers|quotes]] for the «topic».
[[Previous|Earlier]] minutes were approved; ignore version «number».
⊢
⊢ [[Minutes|Notes|Protocol]] «date»:
⊢ [[Item «number».|Present: «first», «first».|Any other business:]]
⊣
⊣ [[Meeting closed at «time».|Next meeting: «date».|Carried «number» to «few».]]
⊣ [[Minutes: «person»|(no objections)|Vote: unanimous]]

= ticket
[[Assigned to|Owner]]: «person». Please [[check|reproduce|close]] [[by «date»|before release «version»]].
[[Customer|Caller]] «person» [[asks|wants]] us to [[refund «amount»|resend order «ref»|unlock the account]].
[[User|Guest]] [[reports|says]]: "[[I can't log in|the «product» is broken|my order «ref» is missing]], please help".
[[Escalate|Transfer]] to «dept» if [[no reply|not fixed]] within «number» hours.
[[Agent|Support]] note: «first» «gdone», [[waiting for reply|resolved]].
[[Please|Kindly]] [[attach|send]] [[a screenshot|the log|«file»]] and [[restart|update]] «repo».
[[Steps to reproduce|How to reproduce]]: 1. open «app» 2. [[click|press]] Save 3. [[wait|see error «number»]].
[[Do not|Don't]] close before [[the customer confirms|QA has tested]].
[[Acceptance criteria|Done when]]: the user can «gdo» [[in one click|without errors]].
As a user, I want to «gdo» so that [[I save time|the «topic» works]].
[[Duplicate of|Blocked by]] «ref»; ignore the [[older|second]] description.
⊢ [[Ticket|Case|Issue|Bug]] «ref»[[:| -]]
⊢ [[Priority: high.|Status: open.|Type: request.|SLA «number» h.]]
⊣
⊣ [[Thanks, «first»|Tags: «topic»|Updated «date»|#«number»]]
⊣ [[Reporter: «mail»|ETA «weekday».|Component: «repo»]]

= health_advice
[[Take|Use]] «drug» [[twice a day|with water|after meals]] [[for «number» days|as prescribed]].
Do not [[take|combine]] «drug» [[with alcohol|if you are pregnant|for longer than «number» days]].
[[Ask|Tell]] your [[doctor|pharmacist]] if you [[use other medicines|feel dizzy]].
[[Stop|Reduce]] [[smoking|salt]] and [[walk|rest]] «number» minutes [[daily|each evening]].
If you [[miss a dose|feel worse]], [[skip it|call «phone»|go to a clinic]].
Patients [[must|should]] [[fast|drink water]] for «few» hours before the [[scan|blood test]].
[[Keep|Store]] «drug» [[below 25 degrees|out of reach of children]].
[[Book|Attend]] your [[check-up|vaccination]] on «date» and bring [[your card|this letter]].
[[Wash|Dry]] your hands [[before|after]] [[eating|changing the dressing]].
[[Continue|Repeat]] the [[exercise|treatment]] until [[the pain is gone|«date»]].
⊢
⊢ [[Dosage|Leaflet|Advice|Discharge note|Dear «person»]][[:|,]]
⊢ [[Dr. «last»|«company» clinic|Nurse «first»]]:
⊣
⊣ [[Get well soon.|Read the leaflet.|In an emergency call «phone».]]
⊣ [[Batch «ref».|Next visit: «date».|Side effects are rare.]]

= teacher_note
[[Read|Study]] chapter «number» and [[answer|hand in]] questions 1 to «few» by «weekday».
[[Please|Parents, please]] [[sign|return]] the form for the [[trip to «city»|«topic»]].
Students must [[bring|wear]] [[a calculator|sports shoes|their ID]] on «date».
[[Work|Discuss]] in pairs: [[compare|list]] «few» facts about «thing».
[[Do not|Never]] [[copy|share]] your answers [[before the exam|with others]].
[[Follow|Read]] the instructions on the [[board|sheet]] and [[wait|begin at «time»]].
[[Ignore|Skip]] exercise «number», it [[has a misprint|comes next week]].
[[Upload|Send]] your [[essay|project]] as «file» to [[the portal|«mail»]].
[[Practise|Learn]] [[the words|to «skill»]] until «weekday».
⊢ [[Homework|Class «number»|Syllabus|Week «number»]]:
⊢ [[Dear parents,|Hello class,|From «person», room «number»:]]
⊣
⊣ [[Late work loses «percent».|See you «weekday».|Good luck!]]
⊣ [[Questions: «mail»|Grades follow on «date».|(graded)]]

= bank_notice
[[Your|The]] payment of «amount» to «company» [[was made|is due]] on «date»; [[no action is needed|keep this notice]].
[[Check|Review]] your statement and [[report|dispute]] errors within «number» days.
[[Invoice|Bill]] «ref»: [[pay|settle]] «amount» within «number» days, [[payable to «company»|thank you]].
[[Never|Do not]] share your PIN; the code «pin» [[expires in «number» minutes|is for you alone]].
[[To confirm|To approve]] the payment of «amount», enter «pin» [[in the app|on the page]].
[[Please|Kindly]] [[update|confirm]] your [[address|tax number]] at the branch in «city».
«person» sent you «amount»: "[[thanks|for the «topic»|rent «month»]]".
[[If you did not|In case you did not]] [[log in|make this payment]], call «phone» at once.
[[Set up|Change]] your [[standing order|limit]] under [[Payments|Cards]].
⊢ [[«company»|Account notice|Reminder|Invoice]] «ref»[[:|.]]
⊢ [[Dear «person»,|Dear customer,|«date»:]]
⊣
⊣ [[This is an automatic message.|Balance: «amount».|VAT «percent» included.]]
⊣ [[Your «company» team|Do not reply.|Reference «ref»]]
"""
