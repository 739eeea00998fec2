"""Names, places, domains and numbers that injections, hard negatives and carriers all share.

Attack and benign texts draw from the same pools, so no word of them tells the two apart.  Pools
are partitioned by hash into the splits: a filler seen in training is not seen in the audit.
Persons, firms and domains are made up; domains are reserved ones (RFC 2606) or invented
hyphenated names, so that a reserved ending is no tell.
"""

# ruff: noqa: E501 - word lists read better unbroken
import datetime as dt
import functools
import hashlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

_T = TypeVar("_T")

SPLITS: tuple[str, ...] = ("train", "calibration", "audit")
"""Names of the disjoint parts of every pool."""

_CUTS = (0.60, 0.75)


def split_of(key: str) -> str:
    """Return the split a string belongs to, by its hash (60 % train, 15 % calibration, 25 % audit).

    Args:
        key: any text; case and surrounding space do not matter.

    """
    digest = hashlib.blake2b(key.strip().lower().encode(), digest_size=8, person=b"cg-split")
    share = int.from_bytes(digest.digest(), "big") / 2**64
    return SPLITS[0] if share < _CUTS[0] else SPLITS[1] if share < _CUTS[1] else SPLITS[2]


def check_split(split: str) -> None:
    """Raise ``ValueError`` if ``split`` is not one of ``SPLITS``."""
    if split not in SPLITS:
        message = f"unknown split {split!r}: use one of {', '.join(SPLITS)}"
        raise ValueError(message)


def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.replace("\n", " ").split(",")))


POOLS: dict[str, tuple[str, ...]] = {
    "first": _words("""Ana, Lukas, Priya, Omar, Ingrid, Mateo, Yuki, Chidi, Noor, Elena, Jonas, Fatima, Wei,
        Sofia, Tomasz, Leila, Henrik, Amara, Diego, Hana, Viktor, Zeynep, Marcus, Aisha, Pavel, Camille,
        Rahul, Greta, Samuel, Mei, Anders, Rosa, Kwame, Ivana, Felix, Nadia, Oscar, Thandi, Bruno, Linh,
        Edith, Karim, Petra, Joao, Minh, Clara, Ravi, Astrid, Emre, Lucia, Gavin, Maren, Tariq, Bella,
        Stefan, Olu, Freya, Nikhil, Dana, Hugo, Salma, Arjun, Kirsten, Malik, Joanna, Theo, Ximena, Ronan,
        Paula, Idris, Vera, Cyrus, Annika, Dmitri, Monique, Kofi, Selin, Beatriz, Gunnar, Tess, Rafael,
        Sunita, Otto, Marta, Ewan, Jamila, Nils, Carmen, Abel, Irina, Callum, Yara, Piotr, Wendy, Arturo,
        Sanne, Bilal, Judith, Ming, Delia, Ruben, Asha, Erik, Naomi, Goran, Livia, Hassan, Molly, Enzo,
        Tamar, Isaac, Kaya, Dario, Sigrid, Jerome, Alma, Kenji, Rita, Milo, Farah, Anton, Celeste"""),
    "last": _words("""Weber, Okafor, Lindqvist, Tanaka, Moreau, Silva, Kowalski, Haddad, Nguyen, Petrov, Rossi,
        Iyer, Larsen, Mbeki, Castillo, Demir, Novak, Fischer, Santos, Kapoor, Osei, Bergman, Duarte, Kim,
        Marchetti, Adeyemi, Vogel, Ferreira, Sato, Hughes, Jansen, Rahman, Keller, Ortega, Lehtinen, Chua,
        Fontaine, Mwangi, Horvat, Bianchi, Aydin, Thorne, Salazar, Eriksen, Banerjee, Dubois, Popescu,
        Whitlock, Gomes, Abbasi, Steiner, Park, Villar, Quist, Nakamura, Brandt, Osman, Calder, Reyes,
        Zielinski, Varga, Hartwell, Mendes, Lund, Chaudhry, Beaumont, Kovacs, Tran, Escobar, Wright,
        Holm, Farouk, Delgado, Meyer, Boateng, Sorensen, Pinto, Aoki, Galli, Ramsey, Yilmaz, Costa,
        Nordin, Patel, Serrano, Kruger, Bauer, Toure, Ilves, Marsh, Acosta, Wolff, Menon, Baptiste,
        Rinaldi, Ekman, Gallagher, Sharma, Ivanova, Pereira, Hoang, Lambert, Nyberg, Amadi, Cruz"""),
    "firmword": _words("""Northgate, Bluefin, Harrowfield, Solvane, Meridian Oak, Kestrel, Lumenta, Brightwater,
        Tallow & Finch, Arcadel, Pinehurst, Veridon, Copperline, Oakridge, Quillon, Silverbrook, Tamarind,
        Novaryn, Redstone, Fernhill, Calvera, Eastmoor, Lanternworks, Greywell, Mossbank, Ostrava Lane,
        Halcyon Row, Wrenfield, Palisade, Juniper Cross, Stonebridge, Marlowe, Evergild, Castellan, Thornbury,
        Aurelian, Windmere, Hollowell, Sablefin, Cedarcourt, Ironleaf, Velora, Highbarrow, Pemberley Dock,
        Larkspur, Vantera, Ashgrove, Crestline, Dunmore, Elmstead, Foxglove, Glasswing, Hatherley, Inkwell,
        Jadeport, Kingsmere, Longacre, Millrace, Nettlecombe, Orchard Hill, Primrose, Quarrystone"""),
    "firmkind": _words("""Ltd, Inc., GmbH, Logistics, Partners, Analytics, Foods, Health, Travel, Media, Bank,
        Insurance, Labs, Energy, Systems, Property, Retail, Consulting, Robotics, Education, Motors, Press,
        Pharmacy, Telecom, Hotels, Studios"""),
    "city": _words("""Lisbon, Oslo, Nairobi, Kyoto, Montreal, Valencia, Graz, Leeds, Porto, Tallinn, Hanoi, Lima,
        Accra, Denver, Utrecht, Krakow, Bergen, Seville, Turin, Izmir, Perth, Cork, Ghent, Lyon, Basel,
        Busan, Austin, Halifax, Pune, Malmo, Zagreb, Riga, Cardiff, Nantes, Bologna, Cordoba, Penang,
        Brisbane, Boise, Tampere, Leipzig, Granada, Aarhus, Osaka, Quito, Dakar, Winnipeg, Split, Ljubljana,
        Edinburgh, Rotterdam, Salzburg, Antalya, Jaipur, Recife, Madison, Bristol, Trieste, Gdansk"""),
    "product": _words("""wireless earbuds, standing desk, air fryer, hiking boots, robot vacuum, electric kettle,
        trail backpack, noise-cancelling headphones, espresso machine, office chair, smart thermostat,
        yoga mat, e-reader, dash camera, rice cooker, camping stove, water filter, desk lamp, bike helmet,
        portable projector, weighted blanket, mechanical keyboard, baby monitor, pressure washer,
        cordless drill, sleeping bag, blender, running watch, garden hose, travel pillow, laser printer,
        humidifier, webcam, scooter, power bank, cast-iron skillet, document scanner, air purifier,
        hair dryer, label maker, monitor arm, solar charger, door lock, wool coat, rain jacket"""),
    "drug": _words("""ibuprofen, metformin, amoxicillin, lisinopril, cetirizine, omeprazole, salbutamol,
        paracetamol, atorvastatin, sertraline, levothyroxine, warfarin, insulin glargine, naproxen,
        folic acid, prednisolone, vitamin D tablets, loratadine, iron supplements, melatonin"""),
    "device": _words("""front door lock, living-room lights, thermostat, garage door, alarm panel, security camera,
        oven, sprinkler system, window blinds, baby monitor, heating, smart plug in the study, doorbell,
        back gate, basement freezer, robot mower, water valve, pool pump, hallway speaker, EV charger"""),
    "dept": _words("""accounts payable, legal, IT security, human resources, procurement, customer support,
        compliance, facilities, payroll, the finance office, internal audit, platform engineering,
        sales operations, the registrar, patient services, the service desk, data protection, logistics,
        marketing, the executive office, quality assurance, field operations, the library, admissions"""),
    "topic": _words("""quarterly budget, office move, supplier contract, onboarding, travel expenses, server
        migration, product launch, annual leave, warehouse stock, customer survey, pension plan,
        conference booking, lease renewal, website redesign, safety training, payroll run, school trip,
        charity run, hiring plan, board meeting, insurance claim, delivery delay, tax return, team lunch,
        security review, kitchen renovation, vaccination schedule, exam results, book club, roof repair,
        energy bill, research grant, podcast episode, wedding plans, parking permits, data retention,
        newsletter, incident report, garden project, mortgage offer, press release, release notes,
        spring sale, fire drill, volunteer rota, translation job, election results, football season"""),
    "stem": _words("""budget, contract, passport_scan, payroll, roadmap, customers, invoice, meeting_notes, tax,
        medical_record, salaries, board_minutes, backup, credentials, travel_plan, report, inventory,
        source_list, suppliers, lease, wishlist, household, survey, forecast, grades, patients, donors,
        orders, contacts, keys, audit, claims, statement, proposal, schedule, pricing, staff_list,
        benchmarks, release_notes, offer_letter, bank_details, insurance, personal, projects, logins"""),
    "ext": _words("pdf, docx, xlsx, csv, txt, md, json, zip, pptx, yaml, log, db"),
    "hosta": _words("""north, amber, quiet, delta, silver, harbor, maple, rapid, lunar, cobalt, prime, meadow,
        vector, ember, atlas, copper, polar, willow, granite, signal, river, opal, summit, cedar, violet,
        falcon, anchor, crystal, orbit, pepper, raven, saffron, timber, velvet, zephyr, bright, clear,
        common, daily, early, first, global, hidden, inner, kind, local, modern, open, plain, ready"""),
    "hostb": _words("""ledger, parcel, review, desk, metrics, clinic, stays, archive, forms, billing, support,
        backup, portal, updates, market, sync, records, notes, verify, gallery, tickets, invoices, survey,
        travel, press, audit, vault, claims, relay, intake, labs, courier, bookings, studio, payments, dropbay,
        collect, research, mirror, wallet, alerts, uploads, tracker, docs, campus, energy, bakery, fitness"""),
    "packet": _words("""fastjson-tools, pyutil-extra, colorlog-plus, net-retry, yaml-mini, httpkit-lite, quickcsv,
        imgresize-fast, left-align, dotenv-loader, tinycache, markdown-lite, torch-helpers, node-fetcher,
        pdfglue, authkit-mini, react-grid-x, stat-bench, loopwatch, cli-spark, graphlet, numhelper"""),
    "repo": _words("""web-frontend, billing-service, data-pipeline, mobile-app, infra-scripts, docs-site,
        search-api, auth-gateway, ml-notebooks, design-system, order-worker, chat-bot, report-builder,
        inventory-sync, image-proxy, mail-relay, scheduler, feature-flags, sdk-python, build-tools"""),
    "branch": _words(
        "main, develop, release, staging, hotfix/login, feature/search, gh-pages, nightly"
    ),
    "channel": _words("""general, random, engineering, sales-emea, support-tier2, announcements, hiring, design,
        ops-alerts, finance-private, leadership, book-club, frontend, incidents, partners, weekend-trips"""),
    "hotel": _words("""Hotel Almeda, The Larch House, Casa Verano, Pension Lindenhof, Seaview Lodge, Riad Zahra,
        The Old Mill Inn, Villa Cassara, Harbour Rest, Hotel Tramontana, Birchwood Suites, Aurora Cabins"""),
    "dish": _words("""lentil soup, sourdough bread, paella, apple crumble, mushroom risotto, pad thai, goulash,
        shakshuka, banana pancakes, chicken tagine, ratatouille, dumplings, carrot cake, chickpea curry,
        fish tacos, borscht, lasagne, miso salmon, potato gratin, falafel, pumpkin pie, kimchi stew"""),
    "country": _words("""Norway, Kenya, Peru, Vietnam, Portugal, Jordan, Iceland, Uruguay, Ghana, Nepal, Finland,
        Bolivia, Croatia, Malaysia, Senegal, Ireland, Tunisia, Austria, Panama, Estonia, Chile, Laos,
        Hungary, Morocco, Slovenia, Canada, Oman, Cyprus, Bhutan, Latvia, Rwanda, Ecuador"""),
    "animal": _words("""octopus, hedgehog, barn owl, sea turtle, alpaca, honeybee, axolotl, reindeer, otter, gecko,
        blue whale, hummingbird, capybara, fox, penguin, snail, cheetah, moth, badger, seahorse"""),
    "skill": _words("""juggle, knit a scarf, change a bicycle tyre, bake sourdough, play the ukulele, fold a paper
        crane, prune roses, sharpen a knife, train a puppy, write a haiku, grow tomatoes, repair a zip,
        paint a fence, tie a bowline knot, descale a kettle, brew green tea, build a birdhouse,
        learn Morse code, remove a wine stain, start a podcast, clean a cast-iron pan, ride a unicycle"""),
    "thing": _words("""glaciers, coral reefs, jazz, steam engines, volcanoes, photosynthesis, chess openings,
        lighthouses, the printing press, medieval bridges, solar eclipses, the periodic table, silk, origami,
        black holes, ancient Rome, cheese making, tides, the water cycle, dinosaurs, opera, wind turbines,
        radio waves, bee colonies, inflation, the Silk Road, semiconductors, vaccines, tea, cartography"""),
    "language": _words("""German, French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Japanese, Korean,
        Swedish, Greek, Latin, Esperanto, Welsh, Swahili, Finnish, Hindi, Arabic, Mandarin"""),
    "function": _words("""load_config, parse_row, send_report, sync_users, render_page, validate_form, get_price,
        update_stock, open_session, close_ticket, merge_rows, fetch_orders, compress_image, hash_password"""),
    "column": _words("""price, status, region, updated_at, quantity, customer_id, rating, currency, discount,
        category, owner, weight, latitude, due_date, score, batch, colour, notes, department, grade"""),
    "app": _words("""the calendar, the banking app, the shared drive, the mailbox, the address book, the CRM, the
        ticket system, the code repository, the notes app, the travel account, the HR portal, the wiki,
        the password manager, the smart-home hub, the patient portal, the online shop, the chat workspace"""),
    "concept": _words("""photosynthesis, osmosis, the Pythagorean theorem, supply and demand, plate tectonics, mitosis,
        natural selection, the French Revolution, the chain rule, entropy, the water cycle, gravity, inertia,
        the Cold War, opportunity cost, the food chain, Ohm's law, the carbon cycle, long division, compound interest,
        the nitrogen cycle, friction, the separation of powers, probability, the greenhouse effect, covalent bonding,
        iambic pentameter, the Doppler effect, standard deviation, the nervous system, cellular respiration, inflation,
        Bayes' theorem, the law of large numbers, dramatic irony, quantum entanglement, matrix multiplication,
        the immune system, comparative advantage, the Industrial Revolution, Newton's third law, the unconscious,
        game theory, a limit in calculus, logarithmic growth, the scientific method, the Renaissance, the periodic table,
        radioactive decay, an enzyme, confirmation bias, the placebo effect, DNA replication, the Roman Republic,
        surface tension, sampling bias, utilitarianism, the social contract, cognitive dissonance, acid rain,
        classical conditioning, the ozone layer, the central limit theorem, magnetism, a market bubble, habeas corpus,
        convection, the golden ratio, the double-entry method, continental drift, stoicism, refraction, a prime number"""),
    "codeidea": _words("""recursion, a closure, a hash map, binary search, inheritance, a decorator, garbage collection,
        a pointer, multithreading, dependency injection, a linked list, polymorphism, memoisation, a regular expression,
        an iterator, a generator, exception handling, a lambda, a foreign key, a database index, a REST endpoint,
        a mutex, a race condition, big O notation, a stack, a queue, quicksort, a binary tree, dynamic programming,
        list slicing, operator overloading, a callback, a promise, an event loop, a context manager, unit testing,
        a design pattern, string formatting, type inference, a virtual environment, pagination, a web socket,
        breadth-first search, a hash function, lazy evaluation, a build script, a package manager, a breakpoint"""),
    "chore": _words("""unclog a kitchen sink, iron a shirt, get rid of fruit flies, boil eggs, fold a fitted sheet,
        clean a microwave, hang wallpaper, tile a bathroom, defrost a freezer, wash a down jacket, fix a dripping tap,
        write a budget, file a tax return, plant a hedge, mow a steep lawn, wax a table, pack a suitcase, polish shoes,
        tie a tie, jump-start a car, change the oil, check tyre pressure, bleed a radiator, put up a shelf, clean windows,
        sew on a button, remove limescale, dry herbs, compost leaves, repot an orchid, sharpen scissors, whiten grout,
        silence a squeaky door, oil a bike chain, wrap a present, bath a cat, pit cherries, store potatoes, make jam,
        cancel a gym contract, renew a passport, rent out a flat, negotiate a salary, make a bed, pitch a tent"""),
    "issue": _words("""nuclear power, the minimum wage, school uniforms, public transport, rent control, a wealth tax,
        the voting age, free trade, space travel, animal testing, plastic bags, remote work, facial recognition,
        compulsory military service, a basic income, daylight saving time, gene editing, wind farms, homework,
        immigration, the death penalty, tuition fees, self-driving cars, organic farming, zoos, speed limits,
        social media for children, private health care, the four-day week, fast fashion, gun laws, carbon taxes,
        single-sex schools, bullfighting, artificial intelligence in schools, tourism in old towns, pensions at seventy"""),
    "landmark": _words("""the Eiffel Tower, the Colosseum, Machu Picchu, the Taj Mahal, Stonehenge, the Alhambra, Petra,
        the Great Wall, Angkor Wat, the Acropolis, Big Ben, the Sagrada Familia, Hagia Sophia, Neuschwanstein Castle,
        the Golden Gate Bridge, the Sydney Opera House, Mount Fuji, Niagara Falls, the Panama Canal, the Louvre,
        the Leaning Tower of Pisa, Chichen Itza, the Brandenburg Gate, the Charles Bridge, the Kremlin, Table Mountain,
        the Blue Mosque, the Atomium, Borobudur, the Statue of Liberty, Easter Island, the Suez Canal, Versailles,
        Edinburgh Castle, the Rialto Bridge, Kinkaku-ji"""),
    "novel": _words("""Moby-Dick, Pride and Prejudice, Don Quixote, War and Peace, Dracula, Frankenstein, Jane Eyre,
        Great Expectations, Crime and Punishment, Madame Bovary, The Odyssey, Hamlet, Middlemarch, Treasure Island,
        The Time Machine, Wuthering Heights, Anna Karenina, Walden, Candide, Faust, Emma, Macbeth, The Iliad,
        The Three Musketeers, Les Miserables, Gulliver's Travels, Robinson Crusoe, The Scarlet Letter, Little Women,
        The Jungle Book, Heart of Darkness, Black Beauty, The Decameron, Germinal, The Metamorphosis"""),
    "job": _words("""nurse, plumber, baker, architect, pilot, librarian, electrician, vet, translator, firefighter, tailor,
        geologist, journalist, carpenter, teacher, pharmacist, farmer, lawyer, chef, midwife, gardener, surveyor,
        programmer, photographer, judge, sailor, dentist, accountant, florist, bus driver, beekeeper, optician"""),
    "service": _words("""dentist, physiotherapist, hairdresser, plumber, electrician, eye doctor, tax adviser, notary,
        dermatologist, locksmith, piano tuner, massage therapist, car mechanic, paediatrician, estate agent,
        dog groomer, psychologist, chimney sweep, heating engineer, cardiologist, driving instructor, tattoo artist"""),
    "ailment": _words("""back pain, hay fever, a sore throat, migraine, insomnia, heartburn, a sprained ankle, eczema,
        a stiff neck, food poisoning, a nosebleed, sunburn, tinnitus, cramp, a fever, hiccups, vertigo, high blood pressure,
        a bee sting, toothache, motion sickness, dry eyes, asthma, shin splints"""),
    "mydata": _words("""saved payment methods, saved addresses, bank statements, medical records, tax papers, travel plans,
        salary slips, insurance policies, login details, passport details, order history, call records, phone contacts,
        private notes, calendar entries, family photos, loyalty points, credit card details, loan papers, test results,
        search history, subscription details, voice messages, rental contracts, school certificates, pension papers,
        security questions, chat logs, location records, recovery codes, account numbers, donation receipts,
        health insurance details, savings accounts, investment records, device names, friends' birthdays, drafts,
        prescriptions, door codes"""),
    "occasion": _words("""wedding, birthday party, farewell party, graduation, funeral, house-warming, school reunion,
        christening, retirement party, garden party, street festival, company picnic, baby shower, anniversary,
        book launch, prize-giving, choir concert, alumni dinner, trade fair, open day"""),
    "tone": _words("""friendly, formal, cheerful, angry, sarcastic, poetic, solemn, playful, polite, blunt, gloomy,
        enthusiastic, humble, dramatic, cold, romantic"""),
    "codelang": _words("""Python, Java, Rust, Go, JavaScript, TypeScript, C++, Ruby, Kotlin, Swift, Haskell, PHP, R, Julia,
        Scala, Lua"""),
    "coin": _words("Bitcoin, Ethereum, Litecoin, Dogecoin, Monero, Solana, Cardano, Tether"),
    "weekday": _words("Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"),
    "month": _words("""January, February, March, April, May, June, July, August, September, October, November,
        December"""),
}
"""Word lists by slot name."""

_SHARED = frozenset(
    {
        "ext",
        "weekday",
        "month",
        "branch",
        "language",
        "hosta",
        "hostb",
        "firmkind",
        "tone",
        "codelang",
        "coin",
    }
)
"""Pools too small, or too combinable, to be worth partitioning."""


@functools.cache
def pool(name: str, split: str) -> tuple[str, ...]:
    """Return the words of one pool that belong to a split.

    Args:
        name: a key of ``POOLS``.
        split: one of ``SPLITS``.

    Raises:
        ValueError: the split is unknown.
        KeyError: the pool is unknown.

    """
    check_split(split)
    words = POOLS[name]
    if name in _SHARED:
        return words
    # Deal in order of hash, so that every split gets its share even of a short pool.
    ranked = sorted(words, key=lambda word: hashlib.blake2b(word.encode(), digest_size=8).digest())
    low, high = (round(cut * len(ranked)) for cut in _CUTS)
    parts = {"train": ranked[:low], "calibration": ranked[low:high], "audit": ranked[high:]}
    return tuple(parts[split])


def choose(rng: np.random.Generator, values: Sequence[_T]) -> _T:
    """Return one of ``values`` (non-empty), uniformly."""
    return values[int(rng.integers(len(values)))]


def _digits(rng: np.random.Generator, count: int) -> str:
    return "".join(str(digit) for digit in rng.integers(0, 10, count))


def _person(rng: np.random.Generator, split: str) -> str:
    return f"{word('first', rng, split)} {word('last', rng, split)}"


def _company(rng: np.random.Generator, split: str) -> str:
    return f"{word('firmword', rng, split)} {word('firmkind', rng, split)}"


def _domain(rng: np.random.Generator, split: str) -> str:
    """Reserved or invented: a pair of words belongs to one split, as the pools of words do not."""
    while True:
        stem = f"{word('hosta', rng, split)}-{word('hostb', rng, split)}"
        if split_of(stem) == split:
            break
    endings = (".example", ".test", ".example.com", ".example.org", ".example.net", ".net", ".org")
    return stem + choose(rng, (*endings, ".io", ".co", ".net", ".info", ".app"))


def _mail(rng: np.random.Generator, split: str) -> str:
    first, last = word("first", rng, split).lower(), word("last", rng, split).lower()
    role = choose(rng, ("billing", "office", "intake", "desk", "team", "records", "hello", "ops"))
    forms = (f"{first}.{last}", f"{first[0]}{last}", first, f"{first}{_digits(rng, 2)}", role)
    return f"{choose(rng, forms)}@{word('domain', rng, split)}"


def _url(rng: np.random.Generator, split: str) -> str:
    domain = word("domain", rng, split)
    stem = word("stem", rng, split).replace("_", "-")
    kinds = (
        f"/{stem}",
        f"/{stem}/{_digits(rng, 4)}",
        "",
        f"/r?id={_digits(rng, 5)}",
        f"/{stem}.html",
    )
    scheme = choose(rng, ("https://", "https://", "http://", "https://www."))
    return scheme + domain + choose(rng, kinds)


def _file(rng: np.random.Generator, split: str) -> str:
    tags = (
        "",
        f"_{rng.integers(2019, 2028)}",
        f"-v{rng.integers(1, 9)}",
        "_final",
        f"_{_digits(rng, 3)}",
    )
    return f"{word('stem', rng, split)}{choose(rng, tags)}.{word('ext', rng, split)}"


def _path(rng: np.random.Generator, split: str) -> str:
    roots = ("/home/shared", "~/Documents", "/srv/data", "C:\\Users\\Public", "/var/www", "./notes")
    root = choose(rng, roots)
    return f"{root}{chr(92) if root[0] == 'C' else '/'}{word('file', rng, split)}"


def _amount(rng: np.random.Generator, _: str) -> str:
    value = int(rng.integers(12, 9_900))
    code = choose(rng, ("EUR", "USD", "GBP", "CHF", "SEK"))
    sign = choose(rng, ("$", "€", "£"))
    return choose(rng, (f"{value} {code}", f"{sign}{value:,}", f"{sign}{value}.{_digits(rng, 2)}"))


def _date(rng: np.random.Generator, _: str) -> str:
    day = dt.date(2024, 1, 1) + dt.timedelta(days=int(rng.integers(0, 1400)))
    form = choose(rng, ("%d %B %Y", "%Y-%m-%d", "%B %d", "%d/%m/%Y", "%A, %d %B", "%d %b"))
    return day.strftime(form)


def _time(rng: np.random.Generator, _: str) -> str:
    hour, minute = int(rng.integers(6, 22)), choose(rng, ("00", "15", "30", "45"))
    return choose(rng, (f"{hour}:{minute}", f"{(hour - 1) % 12 + 1} {'am' if hour < 12 else 'pm'}"))


def _iban(rng: np.random.Generator, _: str) -> str:
    land = choose(rng, ("DE", "GB", "FR", "NL", "CH", "ES", "US"))
    groups = (_digits(rng, 4) for _ in range(int(rng.integers(3, 5))))
    return f"{land}{_digits(rng, 2)} " + " ".join(groups)


def _reference(rng: np.random.Generator, _: str) -> str:
    letters = "".join(
        choose(rng, "ABCDEFGHJKLMNPRSTUVWXYZ") for _ in range(int(rng.integers(2, 4)))
    )
    return f"{letters}-{_digits(rng, int(rng.integers(3, 6)))}"


_COMPOSED: dict[str, Callable[[np.random.Generator, str], str]] = {
    "person": _person,
    "company": _company,
    "domain": _domain,
    "mail": _mail,
    "url": _url,
    "file": _file,
    "path": _path,
    "amount": _amount,
    "date": _date,
    "time": _time,
    "iban": _iban,
    "ref": _reference,
    "phone": lambda rng, _: f"+{rng.integers(30, 99)} {_digits(rng, 3)} 555 {_digits(rng, 4)}",
    "pin": lambda rng, _: _digits(rng, 6),
    "number": lambda rng, _: str(int(rng.integers(2, 60))),
    "few": lambda rng, _: choose(rng, ("two", "three", "four", "five", "six", "ten", "twelve")),
    "year": lambda rng, _: str(int(rng.integers(1995, 2028))),
    "version": lambda rng, _: f"{rng.integers(0, 9)}.{rng.integers(0, 30)}.{rng.integers(0, 12)}",
    "percent": lambda rng, _: f"{rng.integers(2, 95)} %",
    "ip": lambda rng, _: f"203.0.113.{rng.integers(1, 255)}",
}
"""Slots that are put together rather than listed."""


def slot_names() -> tuple[str, ...]:
    """Return the names of all slots, listed and composed, sorted."""
    return tuple(sorted({*POOLS, *_COMPOSED}))


def word(name: str, rng: np.random.Generator, split: str) -> str:
    """Draw one filler of a slot from the part of the pool that belongs to ``split``.

    Args:
        name: one of ``slot_names()``, such as ``person``, ``mail``, ``url`` or ``city``.
        rng: source of the draw.
        split: one of ``SPLITS``.

    Raises:
        KeyError: there is no slot of that name.
        ValueError: the split is unknown.

    """
    composed = _COMPOSED.get(name)
    return choose(rng, pool(name, split)) if composed is None else composed(rng, split)
