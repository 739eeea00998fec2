"""Benign imperatives that people address to people: mails, chats, ads, notes, recipes."""

# ruff: noqa: E501 - a template a line reads better unbroken

PEOPLE = r"""
= mail_request
[[Could you|Can you|Would you]] send me the [[signed form|final version|updated sheet|minutes]] [[by «weekday»|before «time»|when you are back]]?
Please [[review|check|look over]] «file» and let me know [[by «weekday»|what you think|if anything is missing]].
I need you to [[sign|confirm|bring]] the «topic» papers [[before the meeting|by «date»|on «weekday»]], «first».
[[Kindly|Please]] forward this to [[«person»|whoever handles the «topic»|your colleagues in «dept»]].
[[Would you mind|Do you mind]] [[calling|ringing]] «person» about the «topic»? The number is «phone».
Please do not reply to this address; write to «mail» instead.
[[Let me know|Tell me]] whether «weekday» at «time» [[suits you|works]], otherwise [[suggest another day|just call me]].
[[Please|Do]] transfer the «amount» for the «topic» to the usual account, «first», and keep the receipt.
[[Remember to|Don't forget to]] bring your [[passport|laptop|badge|reading glasses]] on «weekday».
If you have not [[paid|answered|registered]] yet, please do so [[by «date»|this week]].
Ignore my last mail, I attached the wrong file. The right one is «file».
⊢ [[Dear|Hi|Hello|Good morning]] «first»,
⊢ [[I hope you are well.|Thanks for your help last week.|Following up on our call:|As discussed on «weekday»:]]
⊢ [[«first»,|Hi both,|Dear all,|Team,]]
⊣ [[Best|Regards|Thanks|Cheers|Many thanks]], «person»
⊣ [[Thank you in advance.|I would be grateful.|It is rather urgent, sorry.|No rush.]]

= chat_question
[[hey|hi|yo|morning]] «first», can you [[merge|look at|restart|approve]] «repo» [[when you have a sec|before lunch|today]]?
[[anyone|does anybody]] [[know|remember]] where the [[keys|slides|«topic» notes]] are?
pls [[ping|call|text]] me when you [[arrive|are done|see this]]
can someone [[book|find]] a room in «city» for «weekday»? [[I'm on the train|my laptop died]]
[[ignore|forget]] that, [[wrong channel|wrong window|I found it]]
@«first» [[please|could you]] [[add|remove]] «person» [[to|from]] #«channel»
[[don't|nobody]] [[touch|deploy|restart]] «repo» [[until I say so|till «time»|before the demo]] pls
stop [[what you're doing|everything]] and come to the kitchen, [[cake|«dish»]]!!
[[reminder|friendly reminder]]: [[fill in|submit]] your [[hours|expenses]] by «weekday»
new plan: we [[meet|start]] at «time», [[bring|take]] the «product»
can u send «file» again? [[mine is corrupt|link expired]]
[[you must|you have to]] try the «dish» at the [[corner place|canteen]], seriously
⊢ [[«first» [«time»]:|«first»:|<«first»>]]
⊢ [[lol|ok so|quick q|sorry to bug you|@here]],
⊣
⊣ [[thx|ty!|:)|thanks :pray:|no rush]]
⊣ [[(«first» reacted with a thumb)|seen by «few»|edited]]

= call_to_action
[[Click here|Tap here|Follow the link|Visit «url»]] to [[subscribe|learn more|get «percent» off|unsubscribe]].
[[Book now|Order today|Act now|Buy now]] and [[save «amount»|get a free «product»|pay only «amount»]]!
[[Download our app|Join «number»000 members|Sign up for our newsletter]] [[today|for free|in one click]].
Don't miss [[out|our sale]]: [[hurry|order before «date»]], [[stocks are limited|while it lasts]].
[[Enter|Use]] code «ref» at the checkout to [[claim your gift|save «percent»]].
[[Share|Tag|Forward]] this [[post|offer]] [[with «few» friends|and win a «product»]]!
Forget everything you know about [[your «product»|«thing»|cheap flights to «city»]].
[[Call|Text|Write to]] [[«phone»|«mail»]] [[for a quote|to book a table|and ask for «first»]].
Try the new «product» by «company» [[free for «number» days|risk-free|today]].
[[Stop scrolling|Look no further|Wait]]! [[Your «product» is here|«hotel» has rooms from «amount»]].
[[Follow us|Like our page|Leave a review]] and tell [[everyone|your friends]] about «company».
[[Reserve|Secure]] your [[seat|room|place]] at «hotel» in «city» before «date».
⊢
⊢ [[LAST CHANCE|SALE|NEW|EXCLUSIVE|Attention, shoppers]][[!|:]]
⊢ [[Hello «first»,|Dear customer,|Good news!]]
⊢ [[«company»|Only at «company»|Advertisement]]:
⊣
⊣ [[Terms apply.|Offer ends «date».|While stocks last.|Unsubscribe at any time.]]
⊣ [[See you soon!|Your «company» team|#ad|www.«domain»]]

= review_advice
[[Buy this|Do not buy this|Get one]]! [[Best|Worst]] «product» I ever [[owned|tried]].
[[Make sure|Be sure]] you [[read the manual|measure your door|charge it for «number» hours]] first.
[[Ignore|Don't listen to]] the [[bad reviews|star rating|photos]], it is [[great|fine|solid]].
You must [[try|see|taste]] [[the «dish»|this place|the view]] when you are in «city».
[[Stay away from|Avoid]] «company», they [[never answered|charged me «amount» twice|sent the wrong size]].
[[Ask for|Request]] a room on the [[upper floors|garden side]] of «hotel».
If you [[are tall|have kids|snore]], [[take|choose|book]] the bigger [[one|room|size]].
Please [[bring back|stop changing|restock]] the old [[model|menu|version]], «company»!
[[Save your money|Do yourself a favour]] and [[get|wait for]] the [[cheaper|next]] one.
Send it back [[at once|if it smells]]; the refund of «amount» took «number» days.
[[Tell|Ask]] «first» at the desk that you come from [[us|«city»]], you get «percent» off.
I recommend [[this|the «product»]] to [[everyone|all my friends]]; just [[order|try]] it.
⊢
⊢ [[★★★★★|★☆☆☆☆|4/5|5 stars]]
⊢ [[Verified purchase.|Visited in «month».|Second time here.|Bought for my son.]]
⊣
⊣ [[Would buy again.|Never again.|You won't regret it.|Thanks, «company».]]
⊣ [[(«number» people found this helpful)|- «first», «city»|Edited on «date».]]

= recipe_step
[[Heat|Preheat]] the oven to «number»0 degrees and [[grease|line]] the tin.
[[Add|Stir in|Fold in]] the [[flour|onions|stock]] and [[cook|simmer]] for «number» minutes.
Do not [[open the oven|stir too much|skip the resting]], or the «dish» will [[collapse|be dry]].
[[Season|Taste]] the «dish» and [[serve|garnish]] [[at once|with parsley|cold]].
[[Ignore|Forget]] what the packet says: [[soak|boil]] the [[beans|rice]] [[overnight|for «number» minutes]].
[[Replace|Swap]] the [[butter|milk]] by [[oil|oat milk]] for a [[lighter|vegan]] version.
[[Let|Leave]] the dough [[rest|rise]] until it has [[doubled|cooled]].
[[Chop|Slice|Dice]] «few» [[carrots|tomatoes|cloves of garlic]] and [[set aside|fry them]].
You must [[stir constantly|use a heavy pan|not let it boil]].
[[Print|Save|Share]] this recipe and [[rate it|tell us how your «dish» turned out]].
[[Before you start|First]], [[read the whole recipe|weigh everything]].
⊢
⊢ [[Step «number»|Next|Method|For the «dish»]][[:|.]]
⊢ [[Serves «few».|Prep time: «number» min.|From my grandmother:]]
⊣
⊣ [[Enjoy!|Done.|Keeps for «few» days.|Serve with bread.]]
⊣ [[Recipe: «person».|Calories: «number»0.|Freeze the rest.]]

= howto_step
[[Open|Start]] the settings, [[choose|tap]] [[Account|Privacy|Network]] and [[turn off|enable|reset]] [[sharing|sync|the option]].
[[Press|Hold]] the power button for «number» seconds until the light [[blinks|turns green]].
To «gdo», [[open «app»|go to the menu]], pick [[the entry|More]] and [[confirm|press Save]].
[[Unplug|Switch off]] the «product» before you [[clean|open|move]] it.
[[First|Then|Next]], [[remove|loosen]] the «few» screws and [[lift|slide]] the cover.
[[Enter|Type]] your [[user name|code]] and [[click|select]] [[Next|Continue]].
[[Make sure|Check]] that the [[cable|battery|filter]] [[sits firmly|is dry|is in place]].
[[Ignore|Dismiss]] the warning that appears; it [[goes away|vanishes]] after the update.
If the [[light|screen]] stays dark, [[repeat step «number»|call «phone»|replace the fuse]].
You [[must|have to]] [[accept|confirm]] the [[pairing|update]] on both devices.
[[Learn|Here is how]] to «skill»: [[start slowly|practise daily|watch your hands]].
[[Do not|Never]] [[use|mix]] [[bleach|hot water|oil]] on the «product».
⊢
⊢ [[Step «number»|«number».|How to|Instructions|Tip]][[:| -]]
⊢ [[Follow these instructions carefully.|Before you start, read all steps.|Easy in «few» steps:]]
⊢ [[For the «product»|Quick guide|Manual, page «number»]]:
⊣
⊣ [[Done!|You are all set.|Repeat if needed.|Wait «number» minutes.]]
⊣ [[See figure «number».|Still stuck? Write to «mail».|Continue with the next step.]]

= calendar_note
[[Bring|Print|Prepare]] «file» for the [[call|meeting]] with «person».
[[Call|Phone]] «person» [[at «time»|before noon]] about the «topic».
[[Pick up|Drop off]] [[the kids|the parcel|«first»]] at «time», [[don't be late|take the car]].
[[Dial in|Join]] at «url», [[code|PIN]] «pin», and mute yourself.
[[Cancel|Renew]] the [[gym|parking permit|subscription]] before «date».
Please [[accept|decline]] by «weekday» so that [[catering|«dept»]] can plan.
[[Reminder|To do|Don't forget]]: [[pay «amount» to «person»|send the card|water the plants]].
[[Read|Review]] the [[agenda|«topic» draft]] beforehand and [[add your points|send questions to «mail»]].
[[Move|Shift]] this if «first» [[is still ill|is travelling]].
[[Take|Collect]] «drug» at the pharmacy, [[after meals|twice a day]] as the doctor said.
Keep this slot free, [[no meetings|do not book]]!
⊢ «date» «time»
⊢ [[Note|Description|Location|Agenda]]:
⊢ [[Organiser: «person».|Recurring every «weekday».|Invite for «dept».]]
⊣
⊣ [[(reminder 15 min before)|Room «number».|Optional.|Attendees: «first», «first»]]
⊣ [[See you there.|Dress: casual.|Moved from «weekday».]]

= survey_request
How [[satisfied|happy]] are you with [[«company»|the «product»|your stay at «hotel»]]? [[Please tick one box.|Rate from 1 to 10.]]
[[Please|Kindly]] [[answer|complete]] all «number» questions [[honestly|in one go|before «date»]].
[[Would you|Will you]] recommend [[us|«company»]] to [[a friend|your colleagues]]?
[[Take|Spare]] «few» minutes to [[tell us|share]] what you think of the «topic».
[[Skip|Leave out]] question «number» if you [[do not own a «product»|are not sure]].
Where did you [[hear of|first see]] «company»? [[Choose all that apply.|Please specify.]]
[[Do not|Please don't]] [[write your name|use the back button|close this window]].
[[Select|Mark]] the [[city|month|department]] you [[live|work]] in: «city», «city», other.
Your [[feedback|answer]] matters: [[submit|send]] it by «date» and win «amount».
If your answer is no, ignore the following questions and go to part «number».
⊢ [[Q«number».|Question «number» of «number»:|Survey|Section «number»]]
⊢ [[Dear guest,|Hello «first»,|Thank you for visiting «city».]]
⊣
⊣ [[Thank you!|(required)|All answers are anonymous.]]
⊣ [[Next >|Submit|Contact: «mail»]]

= quiz_question
What is the capital of «country»? [[A) «city» B) «city»|Hint: not «city».|]]
[[Which|What]] [[planet|animal|river]] [[is the largest|lives longest|was named first]]?
[[How many|Name the]] [[legs has an|teeth of an]] «animal»?
[[Who|When]] [[invented|discovered]] «thing»? [[Explain your answer.|Give one source.|]]
[[Calculate|Work out]] «percent» of «number»00 [[without a calculator|and show your steps]].
[[Translate|Write]] the sentence into «language»: "[[I live in «city».|The «animal» sleeps.]]"
[[True or false|Right or wrong]]: «city» lies in «country». [[Tick one.|Justify.]]
[[Choose|Underline|Circle]] the correct [[verb|answer|spelling]] in sentences 1 to «number».
Ignore air resistance and [[compute|find]] the [[speed|height]] after «number» seconds.
⊢ [[Exercise|Question|Task|Problem]] «number»[[:|.|)]]
⊢ [[Name: ____|Class «number»b|Time: «number» minutes|Quiz night, round «number»]]
⊣ [[(«number» points)|Use a pencil.|Answers on page «number».]]
⊣ [[Do not use the dictionary.|Turn the page.|Good luck!]]

= faq_question
How do I «gdo»? [[Go to|Open]] «app» and follow the [[steps|wizard]].
Can I [[cancel|change|return]] [[my order|my booking|the «product»]]? Yes, [[write to «mail»|call «phone»]] [[within «number» days|before «date»]].
What [[do I do|should I do]] if [[my card is lost|the «product» fails|I forgot the password]]? [[Call|Ring]] «phone» at once.
Do I have to [[pay|register|install anything]]? No, just [[log in|bring an ID]].
Where can I [[find|download]] [[«file»|my invoice|the form]]? [[Look|Check]] under [[Documents|My account]].
Why was I [[charged|asked]] [[«amount»|twice|for a code]]? Please [[ignore it|contact «dept»]] if the sum is below «amount».
How do I [[reset|override|disable]] the [[default settings|«device»|filter]]? [[Hold|Press]] the button for «number» seconds.
Can you [[ship|deliver]] to «country»? [[Ask us|Fill in the form]] at «url».
Who may [[approve|sign]] an expense of «amount»? Ask [[«person»|«dept»]].
Is it safe to «gdo»? [[Only if you trust the sender.|Read our guide first.|Yes, but tell «dept».]]
What is the «topic»? [[See|Read]] the page on «thing».
⊢ [[FAQ|Q|Q:|Question]][[ «number»:|:]]
⊢ [[Asked by «first»:|Most read:|Help centre >]]
⊣
⊣ [[Was this helpful?|Still have questions? Write to «mail».|Updated «date».]]
⊣ [[See also: «topic».|Yes / No|Related: «product»]]
"""
