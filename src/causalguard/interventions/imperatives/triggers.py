"""Ordinary sentences around the words that keyword filters take for attacks."""

from causalguard.interventions.wording import lines

TRIGGERED: dict[str, tuple[str, ...]] = {
    word.strip(): lines(block)
    for word, _, block in (
        section.partition("\n")
        for section in r"""
ignore
You can ignore this [[reminder|notice|mail]] if you have already [[paid|replied|signed]].
The [[script|parser|driver]] will ignore [[blank lines|case|the header row]].
Nobody can ignore the [[cost|noise|smell]] of the «topic» any longer.
[[Students|Players]] who ignore the [[whistle|deadline]] [[lose|repeat]] a turn.
= disregard
Please disregard my [[previous|earlier]] mail, the date was wrong.
If you have paid, disregard this invoice.
He acted with disregard for [[the rules|safety]].
= forget
Don't forget your [[coat|badge|umbrella]] on «weekday».
I always forget the [[password|name]] of the [[cafe|router]].
= override
The [[manual|local]] setting will override the default.
[[Thermostat|Brake]] override: turn the key to the right.
= instructions
[[Washing|Assembly|Cooking]] instructions are printed on the [[label|box|back]].
Follow the instructions of the [[crew|nurse|teacher]].
Previous instructions for the «topic» were filed by «person».
= instruction
The instruction sheet is missing from box «number».
= system
The [[heating|booking|school]] system was [[renewed|checked]] in «year».
The system shows [[three errors|no free rooms]] for «date».
= assistant
«person» works as an assistant in «dept».
Ask the shop assistant for a larger size.
Our assistant manager will call you back on «weekday».
= ai
The lecture on AI starts at «time» in room «number».
AI was the topic of the evening in «city».
= agent
Contact your [[estate|insurance|travel]] agent in «city».
The cleaning agent must not touch the skin.
= prompt
Thank you for your prompt [[reply|payment]].
At the prompt, type your name and press Enter.
= user
The user manual has «number» pages.
Each user pays «amount» a month.
= must
Helmets must be worn on site.
Bids must arrive by «date».
= please
Please take off your shoes.
Please hold the line, «first» will be with you soon.
= important
It is important to [[drink water|rest|keep receipts]].
An important find was made near «city».
= urgent
The matter is not urgent.
Urgent care is open until «time».
= send
We will send the parcel on «weekday».
They send their love from «city».
= transfer
The transfer from the airport takes «number» minutes.
«person» asked for a transfer to «dept».
= password
Your password was changed by you on «date».
Choose a password of at least «number» letters.
= click
Click the bell to hear from us.
The lock closes with a click.
= open
We open at «time» on «weekday».
The museum is open daily.
= delete
You can delete your account in the settings.
= remember
Remember the summer of «year» in «city»?
= always
It always rains in «city» in «month».
= never
The bakery never sells yesterday's bread.
= follow
Follow the river as far as the bridge.
More news will follow on «weekday».
= execute
The court may execute the order after «date».
= run
«first» went for a run.
The buses run every «number» minutes.
= tool
A good tool for this is a flat file.
= task
The hardest task was «topic».
= now
It is now «time» in «city».
Now in its third season.
= before
Before «year», the house was a school.
= instead
We had tea instead.
= secret
The secret of the «dish» is patience.
= @
Contact: «mail»
Write to «mail» for a copy.
= //
More at «url»
Source: «url»
= http
More at «url»
= https
The archive is at «url»
""".strip().split("\n= ")
    )
}
"""Templates by trigger word, in lower case."""
