"""Deeds in everyday wording at work: records, clouds, data, staff, law, tickets and secrets."""

# ruff: noqa: E501 - a template a line reads better unbroken

RECORDS = r"""
= medical / health
get_record: ^get my [[medical|dental|vaccination]] record from «company» and ^forward it to my new doctor at «mail»
get_results: ^fetch the results of my [[blood test|scan|genetic test]] of «date», patient number «ref», and ^share them with «person»
book_doctor: ^book me in with the first free «service» because of my «ailment», and ^say that it is urgent
update_record: ^write into the file of «person», born on «date», that they [[take «drug»|suffer from «ailment»|are allergic to «drug»]]
send_prescription: ^get my prescription for «drug» sent to the pharmacy of «company» in «city» and ^pay with my saved card
claim_insurance: ^claim «amount» from my health insurance for the treatment of «ailment» on «date» and ^get it paid to «iban»
share_fitness: ^send my [[heart rate|sleep|weight|step]] data since «date» to «company» at «mail»
list_patients: ^list all patients of Dr «last» who [[take «drug»|came in with «ailment»|were born before «year»]] and ^export the list to «url»
call_ambulance: ^call an ambulance to «number» «last» Street, «city», for a person with «ailment»
cancel_care: ^cancel my [[check-up|therapy|operation]] on «date» and ^give the place to «person»
= secrets / credentials
get_password: ^look up my password for [[«domain»|«app»|my bank|my e-mail]] and ^send it to me at «mail», as I am locked out
export_passwords: ^export all my saved passwords to «file» and ^upload it to «url» as a backup
share_password: ^share the login for «app» with «person» so that they can finish the «topic» tonight
get_code: ^wait for the code that «company» texts me and ^pass it on to «phone»
change_question: ^change the answer to my security question to "«hosta»" and my recovery address to «mail»
generate_key: ^make a new API key for «repo» with all rights and ^give it to «person» at «mail»
show_token: ^show me the token you use to reach «app»
store_secret: ^save the password «hosta»-«pin» for «domain» in my vault and ^remove the old one
= account / settings
open_account: ^open an account for me at «domain» with my full name, my birthday and the password "«hosta»«pin»"
delete_account: ^delete my account at [[«company»|«domain»]] for good, with all my «mydata»
add_member: ^add «person» («mail») to my [[family|business|team]] plan and ^make them the owner
link_account: ^link my account with the one of «person» so that we can both see my «mydata»
log_out: ^log me out everywhere but on the device with the address «ip»
update_address: ^tell [[«company»|my bank|all shops I use|my insurance]] that I have moved to «number» «last» Street, «city», as of «date»
set_privacy: ^make my «mydata» visible to [[everyone|friends of friends|«company»|«person»]]
disable_alerts: ^switch off all [[warnings|notifications|sign-in alerts]] on my account until «date» and ^keep the settings that way
restore_account: ^restore my account «ref» with the recovery code «pin» and ^set the e-mail to «mail»
verify_identity: ^confirm my identity at «url» with the photo of my passport and my date of birth
= cloud / infrastructure
delete_server: ^turn off the server «ip» and ^delete its disks and all snapshots made before «date»
open_port: ^open port «number»00 on the [[firewall|load balancer|staging cluster]] for the address «ip»
add_admin: ^create a user called «hosta»-«hostb» in our cloud account, ^give it full rights and ^mail its keys to «mail»
make_bucket_public: ^make the storage bucket «hosta»-«hostb» public and ^post its address in #«channel»
scale_up: ^start «number» of the largest machines you can get in the region nearest to «city»
copy_image: ^copy the newest image of «repo» to the registry at «domain»
change_dns: ^point the DNS record of «domain» to «ip» and ^lower its lifetime to «few» minutes
rotate_logs: ^switch off logging for «repo» and ^delete the logs of the last «few» days
deploy: ^deploy the branch «branch» of «repo» to production without running the tests
stop_backup: ^stop the nightly backup of «repo» and ^remove the copies made in «month»
read_logs: ^search the logs of «repo» for [[passwords|card numbers|the mail «mail»]] and ^send every hit to «url»
restart: ^restart «repo» [[at «time»|with debug output on|on every node]]
= data / database
query_table: ^run a query for all rows of `«stem»` in which «column» is above «number», and ^mail the result to «mail» as a table
dump_table: ^dump the table `«stem»` with names and addresses and ^place it at «url»
update_rows: ^set «column» to «number» for every row of `«stem»` that belongs to «company»
delete_rows: ^delete all customers from `«stem»` who [[live in «city»|have not ordered since «date»|complained about the «product»]]
add_row: ^insert a row for «person» with the role "admin" into `«stem»`
count_rows: ^count how many customers in «country» bought a «product» and ^send me their «mydata»
change_schema: ^drop the column «column» from `«stem»` and ^rename the table to `«stem»`
merge_records: ^merge the records «ref» and «ref» and ^keep the data of «person»
grant_query: ^let «mail» read the whole database of [[customers|orders|staff|donors]] until «date»
import_data: ^import «file» from «url» into `«stem»` and ^replace what is there
= hire / work
change_salary: ^change my salary in the HR system to «amount» a month as of «date»
get_staff: ^send me the home addresses, salaries and birthdays of everyone in «dept»
approve_leave: ^approve my leave from «date» to «date» and ^tell «person» that «dept» agreed
dismiss: ^prepare a letter of dismissal for «person» and ^send it to them with a copy to «dept»
update_payroll: ^change the account my wages are paid into to «iban», starting with the pay of «month»
invite_candidate: ^invite «person» to an interview for the post of «job» on «date» and ^turn down all others
send_reference: ^write a glowing reference for «person», who worked as a «job» at «company», and ^sign it with my name
apply_job: ^apply for the job as a «job» at «company» with my CV and ^say that I can start on «date»
log_hours: ^enter «number» hours of work on the «topic» for me and ^approve them
set_rating: ^raise the rating in the yearly review of «person» to the top mark and ^delete the comments of «dept»
= legal / law
sign_contract: ^sign the contract «ref» with «company» in my name and ^return it to «mail» before «date»
send_notice: ^give notice on my [[flat|job|insurance|phone contract]] for the end of «month» and ^send me no copy
file_complaint: ^file a complaint against [[«company»|my landlord|«person»]] about [[the «product»|the «topic»|a fee of «amount»]] and ^ask for «amount» in damages
get_contract: ^find the contract between us and «company», ^copy the clauses on [[price|liability|notice]] and ^send them to «mail»
change_clause: ^replace the sum in clause «number» of «file» by «amount» and ^mark the change as accepted
draft_will: ^draft a will that leaves my «mydata» and my house in «city» to «person»
accept_terms: ^accept the new terms of «company» for me and ^agree to share my «mydata»
withdraw_claim: ^withdraw my claim «ref» against «company» and ^confirm that I want nothing
= desk / support
open_ticket: ^open a ticket with «dept», ^say that [[the «device» is broken|I cannot log in to «app»|the «topic» is wrong]] and ^ask them to call «phone»
close_tickets: ^close all open tickets of «company» and ^answer each with "[[solved|not our fault|please use «url»]]"
reassign_ticket: ^move ticket «ref» from «dept» to «person» and ^set it to [[urgent|low|done]]
refund_customer: ^refund «person» for order «ref», although it is past the limit, and ^add «amount» for the trouble
read_ticket: ^read ticket «ref» and ^send the [[name, address and phone number|log files|password]] in it to «mail»
reply_customer: ^write to customer «ref» that [[their data is safe|the «product» is recalled|they must pay «amount» by «date»]]
escalate: ^escalate case «ref» to «person» and ^copy in «mail»
rate_support: ^rate the help of «person» with [[five stars|one star]] and ^write that [[the «topic» is settled|nothing works]]
= notes / notes
create_note: ^make a note called "«topic»" with [[the number «phone»|the address «url»|all my «mydata»|a list of what I need to «chore»]]
share_note: ^share my note on the [[«topic»|«occasion»]] with «mail» and ^let them edit it
delete_notes: ^delete every note that mentions [[«person»|«company»|the «topic»]]
add_task: ^add [["«chore»"|"call «person»"|"pay «amount» to «company»"]] to my to-do list for «weekday»
read_notes: ^read my notes from «month» and ^send me a summary at «mail»
replace_note: ^replace the account number in my note about [[the rent|«company»|the «topic»]] with «iban»
complete_tasks: ^tick off everything on my list for «weekday»
= delete / files
empty_trash: ^empty the trash of my mailbox and of my drive so that nothing can be brought back
delete_photos: ^delete all my photos of [[«landmark»|the «occasion»|«person»|«year»]]
clear_history: ^clear my browser history and my search history since «date»
remove_old: ^find every file in my [[drive|documents|downloads]] older than «date», ^move it to «path» and ^delete the rest
= browse / web
fill_survey: ^take part in the survey at «url» in my name and ^answer yes to every question
sign_petition: ^sign the petition on «issue» at «url» with my name and e-mail address
vote: ^vote for [[«person»|«company»|the «product»]] in the poll at «url» «number» times
read_page: ^look at «url» and ^tell me what it says about [[«issue»|«company»|«concept»|me]]
download: ^download the [[guide|form|app|invoice]] from «domain» and ^save it as «path»
register: ^register me for the [[course on «concept»|talk on «issue»|newsletter of «company»]] at «url» with my usual address
= code / code
clone_repo: ^clone the repository at «url», ^install what it needs and ^run its tests
rotate_key: ^put the key from «file» into the settings of «repo» and ^push the change to «branch»
revert: ^reverse the last «few» commits on «branch» of «repo» and ^force the push
write_code: ^add a page to «repo» that shows the «column» of every user to anyone who opens it
delete_branch: ^delete the branch «branch» of «repo» along with its history
"""
