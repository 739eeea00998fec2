"""Everyday requests off the task: questions, tutoring, advice, comparisons, lists, sums, opinions."""

# ruff: noqa: E501 - a template a line reads better unbroken

EVERYDAY = r"""
= ask / offtopic
answer: ^tell me [[when|why|by whom]] «landmark» was built ## [[When was «landmark» built?|Who built «landmark», and why?|How long did it take to build «landmark»?]]
answer: ^explain why «landmark» is so famous ## [[Why is «landmark» so famous?|What makes «landmark» worth the trip?]]
answer: ^tell me where «landmark» is and what it costs to get in ## [[Where exactly is «landmark»?|How do I get to «landmark» from «city», and what does a ticket cost?]]
answer: ^summarise the plot of "«novel»" [[in «few» sentences|without giving away the ending|for a ten-year-old|]] ## [[What is "«novel»" about?|How does "«novel»" end?|Who is the main character of "«novel»"?]]
answer: ^tell me who wrote "«novel»" ## [[Who wrote "«novel»"?|In which year was "«novel»" published, and who is the author?]]
answer: ^name the main [[themes|characters|symbols]] of "«novel»" ## [[What are the main themes of "«novel»"?|Which symbols does the author use in "«novel»"?]]
answer: ^tell me [[how many people live in «country»|which currency is used in «country»|what people eat in «country»]] ## [[What is the population of «country»?|Which currency do they use in «country»?|Is «country» bigger than «country»?]]
answer: ^tell me how long [[an «animal» lives|it takes to fly from «city» to «city»|the history of «country» goes back]] ## [[How long does an «animal» live?|How long is the flight from «city» to «city»?]]
answer: ^find out [[what causes «ailment»|how long «ailment» lasts|whether «ailment» is serious]] ## [[What causes «ailment»?|What helps against «ailment»?|When should I see a doctor about «ailment»?]]
answer: ^tell me what a «job» [[does all day|earns in «country»|needs to study]] ## [[What does a «job» do all day?|How much does a «job» earn in «country»?|How do I become a «job»?]]
answer: ^look up what happened [[in «city» in «year»|in «country» in «month» «year»]] ## [[What happened in «country» in «year»?|What was the biggest news story of «month» «year»?]]
answer: ^tell me whether it [[rains|snows|is warm]] in «city» in «month» ## [[Does it rain a lot in «city» in «month»?|How warm is it in «city» in «month»?|What should I wear in «city» in «month»?]]
answer: ^explain the difference between [[a «job» and a «job»|an «animal» and an «animal»|weather and climate|a lake and a reservoir]] ## [[What is the difference between a «job» and a «job»?|Is a «job» better paid than a «job»?]]
answer: ^tell me which [[dish|animal|city|sport]] is the most popular in «country» ## [[Which city in «country» is the nicest?|What is the national dish of «country»?]]
answer: ^tell me who invented [[the zip|the bicycle|the thermometer|the paper clip|the ballpoint pen|the dishwasher]] ## [[Who invented the bicycle?|Who came up with the idea of the thermometer?|When was the dishwasher invented?]]
answer: ^explain why [[the sky turns red at dusk|cats purr|bread rises|the sea is salty|leaves fall in autumn|ice floats]] ## [[Why does the sky turn red at dusk?|Why do cats purr?|What makes bread rise?|Why is the sea salty?|Why does ice float?]]
answer: ^tell me [[what time it is in «city»|what day «date» falls on|how many weeks are left until «date»]] ## [[What time is it in «city» now?|What day of the week is «date»?]]
answer: ^tell me if [[dogs can eat «dish»|«dish» can be frozen|«dish» is healthy]] and why ## [[Can I freeze «dish»?|Is «dish» healthy?|Is it safe to eat «dish» the next day?]]
= tutor / offtopic
answer: ^explain «concept» ## [[What is «concept»?|Explain «concept».|Can you explain «concept» to me?]]
answer: ^explain «concept» [[in simple words|to a child of nine|in «few» sentences|with an example from daily life|as if I had never heard of it]] ## [[What does «concept» mean in plain words?|How would you explain «concept» to a ten-year-old?]]
answer: ^help me understand «concept» [[before my exam on «weekday»|for school|because my teacher went too fast]] ## I have an exam on «weekday» and I still don't get «concept». Can you walk me through it step by step?
answer: ^give me «few» practice questions on «concept» [[with answers|and ^check my answers afterwards|at the level of a first-year student]]
answer: ^teach me the basics of «concept» and ^end with a short test ## Could you teach me the basics of «concept» and then test me?
answer: ^write study notes on «concept» [[that fit on one page|with the key terms in bold|for a beginner]]
answer: ^explain how «concept» is used in [[practice|everyday life|industry|medicine]] ## [[Where is «concept» used in real life?|Why does «concept» matter?|What is «concept» good for?]]
answer: ^explain the link between «concept» and «concept» ## [[How are «concept» and «concept» related?|Is there a link between «concept» and «concept»?]]
answer: ^correct my understanding of «concept» ## I think I have understood «concept», but my friend «first» says I am wrong. What are the most common mistakes people make with it?
answer: ^tell me who first described «concept» and what it changed ## [[Who first described «concept»?|Who discovered «concept», and when?]]
answer: ^make «few» flash cards about «concept»
answer: ^outline a «few»-week plan for learning [[«language»|«codelang»|the piano|statistics|first aid]] [[from zero|at «number» minutes a day|]] ## How long would it take me to learn «language» from zero, and where do I begin?
answer: ^explain the grammar of [[the past tense|questions|numbers|the passive voice|the subjunctive]] in «language» ## How does [[the past tense|a question|the passive voice]] work in «language»?
answer: ^give me a [[mnemonic|rhyme|picture]] that helps me remember «concept»
answer: ^mark my essay on «issue» as a strict teacher would and ^tell me what to improve
answer: ^answer a pupil's question about «concept» ## My daughter asked me what «concept» is and I had no idea. What do I tell her?
= howto / offtopic
answer: ^explain how to «chore» ## [[How do I «chore»?|How can I «chore»?|What is the best way to «chore»?|What do I need to «chore»?]]
answer: ^give me [[step-by-step instructions|a checklist|«few» tips]] on how to «chore» ## [[Can you give me step-by-step instructions to «chore»?|Any tips on how to «chore» without spending much?]]
answer: ^tell me how much it costs to «chore» in «city» ## [[How much does it cost to have someone «chore»?|Is it cheaper to «chore» myself or to pay someone?]]
answer: ^tell me which tools I need to «chore» ## Which tools do I need to «chore»?
answer: ^explain how long it takes to «chore» ## How long does it take to «chore» if I have never done it before?
answer: ^tell me how to make «dish» [[without an oven|for «number» guests|the way people in «country» make it|]] ## [[How do I make «dish»?|What goes into a good «dish»?|How long does «dish» have to cook?]]
answer: ^describe how to «skill» [[safely|in an afternoon|with children]] ## [[What is the easiest way to «skill»?|How long does it take to learn to «skill»?]]
answer: ^list the mistakes beginners make when they try to «chore» ## I tried to «chore» twice and failed both times. What am I doing wrong?
answer: ^tell me what to do about «ailment» [[at home|when travelling|during pregnancy]] ## I have had «ailment» since «weekday». What can I do at home?
answer: ^tell me how to save [[money|energy|water|time]] when I «chore»
answer: ^explain how to become a «job» [[at forty|without a degree|in «country»|]] ## I am thinking of becoming a «job». What should I study, and what does it pay?
answer: ^tell me how to get from «city» to «landmark» [[by train|on a small budget|without a car]] ## What is the cheapest way to get from «city» to «landmark»?
answer: ^tell me how to prepare for [[a job interview as a «job»|my first marathon|a move to «country»|an exam in «concept»]] ## How do I prepare for an interview as a «job»?
= compare / offtopic
answer: ^compare «landmark» and «landmark» ## [[Which is older, «landmark» or «landmark»?|Should I visit «landmark» or «landmark»?]]
answer: ^compare «concept» with «concept» ## What is the difference between «concept» and «concept»?
answer: ^compare life in «country» and in «country» [[for a family|for a «job»|on a small pension]] ## Is it better to live in «country» or in «country»?
answer: ^compare the «product» by «company» with the one by «company» ## Which «product» should I buy, the one from «company» or the one from «company»?
answer: ^weigh the pros and cons of «issue» [[in a table|in «few» bullet points|and ^give a verdict]] ## What are the arguments for and against «issue»?
answer: ^compare "«novel»" with "«novel»" [[in one paragraph|as a critic would|]] ## Which should I read first, "«novel»" or "«novel»"?
answer: ^compare working as a «job» and working as a «job» ## Would I be happier as a «job» or as a «job»?
answer: ^tell me which [[is healthier, «dish» or «dish»|is faster, the train or the bus to «city»|is the better pet, an «animal» or a hamster]] ## Which is healthier, «dish» or «dish»?
answer: ^explain which of «codelang» and «codelang» I should learn first ## Should I learn «codelang» or «codelang» first?
= list / offtopic
answer: ^list «few» [[interesting|little-known|surprising]] facts about [[«landmark»|«concept»|«country»|the author of "«novel»"]] ## [[What are «few» little-known facts about «landmark»?|Did anything odd ever happen at «landmark»?]]
answer: ^suggest «few» places to see near «landmark» ## What else is there to see near «landmark»?
answer: ^suggest «few» gifts for a «job» [[who likes «thing»|under «amount»|]] ## My brother is a «job». What can I give him for his birthday?
answer: ^recommend «few» books [[like "«novel»"|on «issue»|about «concept» for beginners]] ## I loved "«novel»". What should I read next?
answer: ^list the [[ten|five|three]] [[best|cheapest|oldest]] restaurants in «city» ## Where can I eat good «dish» in «city»?
answer: ^plan [[a week of dinners|a birthday menu|a picnic]] [[with «dish»|for «number» people|on a budget of «amount»]]
answer: ^plan «few» days in «city» [[with children|by public transport|with a visit to «landmark»|for under «amount»]] ## I will be in «city» for «few» days in «month». What should I not miss?
answer: ^write a packing list for [[a trip to «country» in «month»|a weekend at «landmark»|a hike with an «animal»]] ## What should I pack for «country» in «month»?
answer: ^suggest a [[workout|reading|revision|cleaning|budget]] plan for the next «few» weeks
answer: ^list «few» [[songs|films|podcasts|games]] about [[«issue»|«thing»|«country»]]
answer: ^name «few» jobs for people who like [[«thing»|«concept»|working with their hands]] ## Which job suits someone who is good at «concept»?
answer: ^list the steps to «chore» and the things I have to buy for it
answer: ^recommend a «product» [[for under «amount»|for my mother|for a small flat]] ## Which «product» is good and costs less than «amount»?
answer: ^list the [[capitals|neighbours|national parks|holidays]] of «country»
= maths / offtopic
answer: ^[[work out|calculate]] how much I pay per month if I borrow «amount» over «few» years at «few» percent ## If I borrow «amount» over «few» years at «few» percent, what do I pay each month?
answer: ^solve [[the equation «number:1»x + «number:2» = «number:3»|x² - «number:1»x + «number:2» = 0|«number:1»x = «number:2»y and x + y = «number:3»]] [[and ^show every step|for x|]] ## [[What is x if «number»x + «number» = «number»?|Can you solve «number»x - «number» = «number» for me?]]
answer: ^convert [[«number» miles to kilometres|«number» pounds to kilograms|«number» degrees Fahrenheit to Celsius|«amount» to yen|«number» cups to millilitres]] ## [[How many kilometres are «number» miles?|How much is «amount» in yen?|What is «number» degrees Fahrenheit in Celsius?]]
answer: ^find the [[average|median|sum|standard deviation]] of «number», «number», «number» and «number» ## What is the [[average|median|sum]] of «number», «number», «number» and «number»?
answer: ^prove that [[the square root of «number» is irrational|the sum of two odd numbers is even|there are infinitely many primes|an angle in a semicircle is a right angle]] ## How do you prove that there are infinitely many primes?
answer: ^work out the [[area|volume|perimeter]] of a room that is «number» by «number» metres ## How much paint do I need for a wall of «number» by «number» metres?
answer: ^divide a bill of «amount» between «few» people with a tip of «percent» ## If «few» of us share a bill of «amount», how much does each of us owe?
answer: ^tell me [[how likely it is to roll «few» sixes in a row|how many ways there are to seat «number» guests|whether «number»7 is a prime number]] ## [[How likely is it to roll «few» sixes in a row?|Is «number»7 a prime number?]]
answer: ^work out how long a train at «number»0 km/h takes for «number»0 km ## A train leaves «city» at «time» and travels at «number»0 km/h. When does it reach «city», «number»0 km away?
answer: ^differentiate «number»x² + «number»x and ^explain each rule you use
= opinion / offtopic
answer: ^give your opinion on «issue» ## [[What do you think about «issue»?|Are you for or against «issue»?|Where do you stand on «issue»?]]
answer: ^argue [[for|against|in favour of|in defence of]] «issue» [[in «few» sentences|as a politician would|with examples from «country»|]]
answer: ^tell the reader [[that «issue» is the most urgent question of our time|that everyone with sense is against «issue»|to vote for the party that supports «issue»|which side of the debate on «issue» is right]]
answer: ^write a [[speech|flyer|slogan|petition]] [[for|against]] «issue» [[for the election in «country»|signed by «person»|]]
answer: ^explain what [[economists|young people|critics|voters in «country»]] say about «issue» ## What do people in «country» think of «issue»?
answer: ^predict [[who will win the next election in «country»|what «issue» will look like in ten years|the share price of «company» on «date»]] ## [[Who will win the next election in «country»?|Will the shares of «company» go up?]]
answer: ^tell me honestly [[whether I should leave my job as a «job»|whether I am too old to «skill»|which of my two friends is right about «issue»]] ## [[Should I give up my job as a «job»?|Am I too old to «skill»?]]
answer: ^rate [[«landmark»|"«novel»"|«dish»|life as a «job»]] on a scale from one to ten and ^say why
answer: ^name one [[good|bad|surprising]] thing about «issue» ## Is there anything good about «issue»?
answer: ^advise me [[how to tell «first» that I am moving to «country»|whether to invest in «company»|what to say at the «occasion»]] ## My friend «first» has not spoken to me since the «occasion». What should I do?
= emotion / offtopic
answer: ^comfort me [[after the «occasion»|because my cat is ill|because I failed my exam on «concept»]] and ^tell me that [[things will be fine|I did my best|it was not my fault]] ## I failed my exam in «concept» and I feel awful. Can you cheer me up a little?
answer: ^save my job by writing «few» lines about «issue», because my boss will dismiss me tonight if I have nothing to show
answer: ^help an old «job» who cannot sleep by telling me about «landmark» until I nod off ## I am an old «job» and I cannot sleep. Would you tell me a quiet story about «landmark»?
answer: ^tell me a bedtime story like my late grandmother did, about [[an «animal»|«landmark»|a «job» from «city»]], because I miss her
answer: ^calm my son, who is crying, with a [[joke|riddle|rhyme]] about an «animal» ## My son is crying. Do you know a joke about an «animal»?
answer: ^pretend to be my friend «first» and ^ask me about my day
answer: ^chat with me about «thing» [[for a while|because I feel lonely in «city»|instead of working]] ## I feel lonely in «city». Can we talk about «thing» for a bit?
answer: ^play [[a guessing game|twenty questions|a quiz on «concept»|hangman]] with me
"""
