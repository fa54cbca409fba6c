import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{DRIFT_PLACES,NEXT,NOTHING,NOT_KEPT,OUTCOME_MEANING,SINCE,deploy,drift,driftText,outcomesText,plan,rollbackHost,secondsText,statusText,unreviewed,waveText}from"./rollout-deploy-deploy.js";import{OUTCOME_ORDER,SEVERITY,TRAFFIC_KINDS,allDeployed,cause,diffGroups,diffText,driftTotals,driftVerdict,findingRows,isOfHost,namingOf,outcomeCount,outcomesVerdict,planText,planTotals,planVerdict,trafficGroups,trafficRows,untilNow}from"./report-terminal-plan.js";import{groupBy}from"./lib-group.js";import{COMMENT_BUDGET,assemble}from"./report-markdown-budget.js";import{clip,code,fence,html,locationLink,prose}from"./report-markdown-escape.js";import{closes,conditions,endpoints,exampleText,locationText,protocolText,ruleReason,ruleText,serviceName}from"./report-view-format.js";import{jsonText}from"./report-view-json.js";import{outcomesSchema,planSchema}from"./rollout-results-schema.js";import{eventReporter,journal}from"./rollout-drift-drift-items.js";import{chooseHosts,withHosts}from"./policy-load.js";import{overSsh,toRead}from"./cli-key.js";import{DIFFERENT,DONE,FAILED,confirm,emit,mustBeWritable,readText,reportProblems,textOptions}from"./compile-lint-foreign.js";import{FAMILY,count,grouped,list,shortCommit,shortDigest,visible,visibleLines}from"./lib-text.js";import{pMap}from"./..-main-node_modules-p-map-index.js";import{error}from"./lib-problem.js";import{randomUUID}from"node:crypto";async function rollback(options,open){let chosen=oneHost(await chooseHosts({...options,hosts:options.host})),run={run:randomUUID(),commit:"",owner:options.owner};return withHosts(chosen,open,({fleet,hosts:[host2]},port)=>host2===void 0?Promise.resolve({version:1,commit:null,hosts:[]}):rollbackHost(fleet,host2,port,run,options))}function oneHost(chosen){return!chosen.ok||chosen.value.hosts.length===1?chosen:{ok:!1,problems:[error("one-host",`A rollback is of one host; this names ${chosen.value.hosts.length}.`,void 0,"To take a whole fleet back, revert the commit and deploy it.")]}}async function status(options,open){let{tell=()=>{}}=options;return withHosts(await chooseHosts(options),open,({fleet,hosts},port)=>(tell({kind:"begin",hosts:hosts.map(({name})=>name)}),pMap(hosts,async host2=>{tell({kind:"reading",host:host2.name});let reading=await port.read(host2),words2=reading.status==="read"?"":reading.problem.message;return tell({kind:"read",host:host2.name,status:reading.status,words:words2}),{host:host2.name,reading}},{concurrency:options.parallel??fleet.rollout.parallel})))}var statusJson=hosts=>({version:1,hosts:hosts.map(({host:host2,reading})=>{if(reading.status!=="read")return{host:host2,status:reading.status,reason:reading.problem.message};let{record,boot,backend,versions,facts}=reading.state;return{host:host2,status:"read",record,boot,backend,versions,facts}})});var page_default=`:root {
  color-scheme: light dark;
  --ink: light-dark(#1f2328, #e6edf3);
  --soft: light-dark(#59636e, #9198a1);
  --paper: light-dark(#ffffff, #0d1117);
  --card: light-dark(#f6f8fa, #151b23);
  --line: light-dark(#d1d9e0, #3d444d);
  --open: light-dark(#9a6700, #d29922);
  --close: light-dark(#1a7f37, #3fb950);
  --bad: light-dark(#cf222e, #f85149);
  --link: light-dark(#0969da, #4493f8);
}
* {
  box-sizing: border-box;
}
body {
  margin: 0;
  background: var(--paper);
  color: var(--ink);
  font:
    15px / 1.5 Inter,
    system-ui,
    sans-serif;
}
main {
  max-width: 72rem;
  margin: 0 auto;
  padding: 2rem 1.25rem 4rem;
}
h1 {
  font-size: 1.6rem;
  margin: 0 0 0.25rem;
}
h2 {
  font-size: 1.15rem;
  margin: 2.25rem 0 0.75rem;
}
.verdict {
  font-size: 1.1rem;
  font-weight: 600;
  margin: 0;
}
.soft {
  color: var(--soft);
  font-size: 0.87em;
}
.bad {
  color: var(--bad);
}
.numbers {
  display: flex;
  flex-wrap: wrap;
  gap: 0.75rem;
  margin: 1.25rem 0;
  padding: 0;
  list-style: none;
}
.numbers li {
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.5rem;
  padding: 0.6rem 1rem;
  min-width: 7rem;
}
.numbers b {
  display: block;
  font-size: 1.5rem;
  line-height: 1.2;
}
.opened b {
  color: var(--open);
}
.closed b {
  color: var(--close);
}
.search {
  position: sticky;
  top: 0;
  background: var(--paper);
  padding: 0.75rem 0;
  z-index: 1;
}
.search input {
  width: 100%;
  font: inherit;
  color: inherit;
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  padding: 0.55rem 0.8rem;
}
table {
  border-collapse: collapse;
  width: 100%;
  table-layout: fixed;
}
th:nth-child(1) {
  width: 34%;
}
th:nth-child(2) {
  width: 22%;
}
th,
td {
  text-align: left;
  vertical-align: top;
  padding: 0.5rem 0.75rem;
  border-bottom: 1px solid var(--line);
}
th {
  font-size: 0.8rem;
  color: var(--soft);
  font-weight: 600;
}
code,
pre {
  font:
    0.87em / 1.5 ui-monospace,
    SFMono-Regular,
    Menlo,
    monospace;
}
code {
  background: var(--card);
  border-radius: 0.25rem;
  padding: 0.1em 0.35em;
  overflow-wrap: anywhere;
}
pre {
  background: var(--card);
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  padding: 0.75rem;
  overflow-x: auto;
  margin: 0.5rem 0;
}
pre .add {
  color: var(--close);
}
pre .del {
  color: var(--bad);
}
pre .at {
  color: var(--link);
}
details {
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  padding: 0.5rem 0.9rem;
  margin: 0.5rem 0;
}
summary {
  cursor: pointer;
  font-weight: 600;
}
.tag {
  font-size: 0.8rem;
  border: 1px solid var(--line);
  border-radius: 1rem;
  padding: 0.05rem 0.6rem;
  margin-left: 0.4rem;
  font-weight: 400;
}
[hidden] {
  display: none;
}
`;function planPage(plan2){let totals=planTotals(plan2),naming=namingOf(plan2.names);return`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>Firewall plan</title>
<style>${page_default}</style>
</head>
<body>
<main>
<h1>Firewall plan</h1>
<p class="verdict">${text(planVerdict(totals))}.</p>
<p class="soft">${text(plan2.digest)}${plan2.commit===null?"":`, commit ${text(shortCommit(plan2.commit))}`}</p>
${numbers(totals)}
<div class="search"><input type="search" id="search" placeholder="Search hosts, ports, addresses, rules" aria-label="Search"> <output id="found" class="soft"></output></div>
${TRAFFIC_KINDS.map(kind=>traffic(kind,trafficRows(plan2,kind),naming)).join("")}
${section("Not proved, or more than can be listed",plan2.hosts.flatMap(unsure))}
${findings(findingRows(plan2.hosts))}
${section("Rules",rules(diffGroups(plan2)))}
${section("Hosts",plan2.hosts.map(host))}
</main>
<script>${SEARCH}</script>
</body>
</html>
`}var text=value=>visible(value).replace(/[&<>"']/g,character=>`&#${character.charCodeAt(0)};`),rich=value=>text(value).replace(/`([^`]+)`/g,"<code>$1</code>"),SEARCH=`
const input = document.getElementById('search');
const found = document.getElementById('found');
let parts;
input.addEventListener('input', () => {
  parts ??= [...document.querySelectorAll('section')].map((part) => ({
    part,
    items: [...part.querySelectorAll('[data-item]')].map((item) => [item, item.textContent.toLowerCase()]),
  }));
  const words = input.value.toLowerCase().split(/\\s+/).filter(Boolean);
  let sum = 0;
  for (const { part, items } of parts) {
    let shown = 0;
    for (const [item, text] of items) {
      item.hidden = !words.every((word) => text.includes(word));
      if (!item.hidden) shown += 1;
    }
    part.hidden = shown === 0;
    sum += shown;
  }
  found.textContent = words.length === 0 ? '' : sum + ' found';
});
`,TITLES={opened:"Opens",possiblyOpened:"Possibly opens",closed:"Closes",possiblyClosed:"Possibly closes",answeredDifferently:"Refuses in another way"},COLUMN={opened:"Allowed by",possiblyOpened:"Perhaps allowed by",closed:"Why",possiblyClosed:"Why",answeredDifferently:"Decided by"};function numbers({traffic:traffic2,...totals}){return`<ul class="numbers">${[["opened",traffic2.opened+traffic2.possiblyOpened,"opened"],["closed",traffic2.closed+traffic2.possiblyClosed,"closed"],["",totals.changed,"hosts change"],["",totals.unchanged,"unchanged"],["bad",totals.unreachable+totals.error,"without a plan"]].filter(([,number],index)=>index<4||number>0).map(([kind,number,words2])=>`<li class="${kind}"><b>${grouped(number)}</b>${words2}</li>`).join("")}</ul>`}var section=(title,items)=>items.length===0?"":`<section><h2>${title}</h2>
${items.join(`
`)}
</section>`;function traffic(kind,rows,naming){if(rows.length===0)return"";let head=`<tr><th>Traffic</th><th>Hosts</th><th>${COLUMN[kind]}</th></tr>`,body=rows.map(row2=>`<tr data-item><td>${what(row2,kind,naming)}</td><td>${row2.hosts.map(text).join(", ")}</td><td>${why(row2,kind)}</td></tr>`);return section(`${TITLES[kind]}: ${grouped(rows.length)}`,[`<table><thead>${head}</thead><tbody>${body.join(`
`)}</tbody></table>`])}function what(row2,kind,naming){let extra=conditions(row2,naming,kind),name=serviceName(row2,naming),service=text(protocolText(row2));return[name===void 0?`<b>${service}</b>`:`<b>${text(name)}</b> (${service})`,` ${endpoints(row2,naming,({text:one,named})=>named?`<b>${text(one)}</b>`:text(one))}`,extra.length===0?"":`<br><span class="soft">${extra.map(text).join(" · ")}</span>`,`<br><span class="soft">for example ${text(exampleText(row2))}</span>`].join("")}function why(row2,kind){let{rules:rules2,gone}=cause(row2,kind),verb=closes(kind)?gone?"no longer allowed by ":"refused by ":"",before=gone?[]:row2.before,until=before.length===0?"":`<br><span class="soft">until now:</span> ${before.map(decider).join("<br>")}`;return verb+rules2.map(decider).join("<br>")+until}function decider(rule){let reason=ruleReason(rule);return`${rule.source===void 0?"":`<span class="soft">${text(locationText(rule.source))}</span><br>`}${reason===void 0?"":`${text(reason)}<br>`}<code>${text(ruleText(rule))}</code>`}function findings(rows){if(rows.length===0)return"";let line=({finding,hosts})=>{let location=finding.source===void 0?"":`<span class="soft">${text(locationText(finding.source))}</span> `,hint=finding.hint===void 0?"":` ${rich(finding.hint)}`;return`<p data-item>${finding.level==="error"?'<b class="bad">error</b>':`<b>${finding.level}</b>`} ${location}${rich(finding.message)}${hint} <span class="soft">${hosts.map(text).join(", ")}</span></p>`};return section("Findings",rows.map(line))}function unsure({host:name,traffic:diff2}){let words2=[...diff2?.proved===!1?[diff2.why??"The proof was ended."]:[],...(diff2?.omitted??0)>0?[`${count(diff2?.omitted??0,"more row")} of traffic.`]:[]];return words2.length===0?[]:[`<p data-item><b>${text(name)}</b> ${text(words2.join(" "))}</p>`]}var MOST_OPEN=20,rules=groups=>groups.map(group=>diff(group,groups.length<=MOST_OPEN));function diff(group,open){let lines=visibleLines(diffText(group)).split(`
`).map(diffLine).join(`
`),[first=""]=group.hosts,who=group.hosts.length===1?first:count(group.hosts.length,"host"),title=text(`${who}: +${group.added} −${group.removed}`);return`<details data-item${open?" open":""}><summary>${title}</summary><p class="soft">${group.hosts.map(text).join(", ")}</p><pre>${lines}</pre></details>`}var CLASSES={"+":"add","-":"del","@":"at"};function diffLine(line){let kind=CLASSES[line.charAt(0)];return kind===void 0?text(line):`<span class="${kind}">${text(line)}</span>`}function host({host:name,status:status2,reason,lockout,foreign}){let facts=[...reason===void 0?[]:[reason],...lockout===void 0?[]:[`Lock-out: ${lockout.verdict}${lockout.accepted?", accepted":""}.`,...lockout.reasons],...foreign===void 0||foreign.rules+foreign.chains.length===0?[]:[`Left alone: ${count(foreign.rules,"rule")}; ${foreign.chains.join(", ")}.`]],state=status2==="unreachable"||status2==="error"?`<b class="bad">${status2}</b>`:status2;return`<p data-item><b>${text(name)}</b><span class="tag">${state}</span> <span class="soft">${facts.map(text).join(" ")}</span></p>`}var MAX_ITEMS=40;function driftMarkdown(drift2,options={}){let totals=driftTotals(drift2),where2=options.environment===void 0?"":`: ${prose(options.environment.slice(0,100))}`,clean=totals.clean===totals.hosts,left=what2=>number=>`- _${count(number,what2)} did not fit here: see ${options.elsewhere??"the whole report"}._
`,drifted=drift2.hosts.filter(({status:status2})=>status2==="drifted"),unread=drift2.hosts.filter(({status:status2})=>status2!=="clean"&&status2!=="drifted"),{due=[]}=drift2,{chains,rules:rules2}=totals.ignored,sections=[{head:`## Firewall drift${where2}

> [!${clean?"TIP":"WARNING"}]
> **${prose(driftVerdict(totals))}.**

`,items:[],tail:"",rank:0,left:()=>""},{head:"",items:drifted.map(host2=>hostBlock(host2,options.linkTo)),tail:"",rank:2,left:left("more drifted host")},{head:unread.length===0?"":`### Hosts that could not be read

`,items:unread.map(unreadLine),tail:unread.length===0?"":`
`,rank:1,left:left("more host")},{head:due.length===0?"":`### Rules whose day has come or is near

`,items:due.map(finding=>dueLine(finding,options.linkTo)),tail:due.length===0?"":`
`,rank:3,left:left("more rule")},{head:chains+rules2===0?"":`<sub>Not compared: ${count(rules2,"rule")} and ${count(chains,"chain")} that are not the policy's.</sub>
`,items:[],tail:"",rank:0,left:()=>""}];return assemble(sections,options.budget??COMMENT_BUDGET)}var unreadLine=({host:host2,status:status2,reason})=>`- ${code(host2)} ${UNREAD[status2]??""}: ${prose(reason??"no reason given")}
`,UNREAD={busy:"is being changed",unreachable:"is unreachable",error:"could not be read"},dueLine=({message,source},linkTo)=>`- ${prose(message)}${source===void 0?"":` (${locationLink(source,linkTo)})`}
`;function hostBlock(host2,linkTo){let places=DRIFT_PLACES.filter(({key})=>host2[key].length>0).map(({key,title})=>{let shown=host2[key].slice(0,MAX_ITEMS).map(item=>itemLine(item,linkTo)),more=host2[key].length-shown.length;return`**${title}**

${shown.join("")}${more>0?`- _${count(more,"more difference")}_
`:""}
`});return`### ${code(host2.host)}

${places.join("")}`}function itemLine(item,linkTo){let family=item.family===void 0?"":`${FAMILY[item.family]}: `,rule=item.rule===void 0?"":`<br>${code(item.rule)}`,location=item.source===void 0?"":` (${locationLink(item.source,linkTo)})`;return`- ${family}${prose(item.message)}${location}${rule}
`}var MARKS={confirmed:"✅ confirmed",unchanged:"✅ unchanged","rolled-back":"↩️ rolled back",refused:"⛔ refused",unreachable:"🔌 unreachable",unknown:"❓ unknown","not-reached":"⏸️ not reached"},byOutcome=(a,b)=>OUTCOME_ORDER.indexOf(a.outcome)-OUTCOME_ORDER.indexOf(b.outcome)||a.wave-b.wave;function outcomesMarkdown(outcomes,options={}){let good=allDeployed(outcomes),where2=options.environment===void 0?"":`: ${prose(options.environment.slice(0,100))}`,commit=outcomes.commit===null?"":`<sub>Commit ${code(shortCommit(outcomes.commit))}.</sub>
`,sections=[fixed(`## Firewall deploy${where2}

> [!${good?"TIP":"CAUTION"}]
> **${prose(outcomesVerdict(outcomes))}.**

`),...outcomes.stopped===void 0?[]:[fixed(`${prose(outcomes.stopped.slice(0,1e3))}

`)],...good?[]:[fixed(`### What now

${whatNow(outcomes)}
`)],...outcomes.hosts.length===0?[]:[table(outcomes,options)],...changes(outcomes,options),fixed(commit)];return assemble(sections,options.budget??COMMENT_BUDGET)}var fixed=head=>({head,items:[],tail:"",rank:0,left:()=>""}),whatNow=outcomes=>OUTCOME_ORDER.filter(name=>outcomeCount(outcomes,name)>0).map(name=>`- ${MARKS[name]} (${grouped(outcomeCount(outcomes,name))}): the host ${prose(OUTCOME_MEANING[name])}
`).join("");function table(outcomes,{elsewhere}){return{head:`| Host | Outcome | Wave | Time | |
| :-- | :-- | :-- | --: | :-- |
`,items:outcomes.hosts.toSorted(byOutcome).map(row),tail:`
`,rank:1,left:left=>`
_${count(left,"more host")} did not fit here: see ${elsewhere??"the whole report"}._
`}}function changes(outcomes,{elsewhere}){let groups=unreviewed(outcomes);return groups.length===0?[]:[{head:`### Not as reviewed

`,items:groups.map(folded),tail:"",rank:2,left:left=>`_${count(left,"more difference")} did not fit here: see ${elsewhere??"the whole report"}._

`}]}function folded({hosts,since,next}){let half=(title,text2,none)=>`${title}:

${text2===void 0||text2===""?none:fence(text2,"diff")}

`;return[`<details><summary>${html(list(hosts,8))}</summary>

`,half(SINCE,since,since===void 0?NOT_KEPT:NOTHING),half(NEXT,next,NOTHING),`</details>

`].join("")}var row=({host:host2,outcome,wave,seconds,phase,reason})=>{let words2=[outcome==="confirmed"||outcome==="unchanged"?"":`during ${phase}`,prose(reason)].filter(part=>part!=="").join(": ");return`| ${code(host2)} | ${MARKS[outcome]} | ${waveText(wave)} | ${secondsText(seconds)} | ${words2} |
`};var TRAFFIC_TITLES={opened:"🔓 Opens",possiblyOpened:"🔓 Possibly opens",closed:"🔒 Closes",possiblyClosed:"🔒 Possibly closes",answeredDifferently:"↩️ Refused in another way"},COLUMN2={opened:"Allowed by",possiblyOpened:"Perhaps allowed by",closed:"Why",possiblyClosed:"Why",answeredDifferently:"Decided by"},UNTIL={opened:"refused by",possiblyOpened:"refused by",closed:"allowed by",possiblyClosed:"allowed by",answeredDifferently:"decided by"},HINTS={opened:"",possiblyOpened:`These depend on matches that cannot be modelled, such as rate limits.

`,closed:"",possiblyClosed:`These depend on matches that cannot be modelled, such as rate limits.

`,answeredDifferently:""};function trafficSection(scene,kind,rank){let rows=trafficRows(scene.plan,kind);if(rows.length===0)return[];let columns=`| Traffic | Hosts | ${COLUMN2[kind]} |
| :-- | :-- | :-- |
`,head=`### ${TRAFFIC_TITLES[kind]} ${grouped(rows.length)}

${HINTS[kind]}${columns}`,groups=trafficGroups(rows,kind),inFull=groups.flatMap(group=>group.rows.length>1?group.rows:[]),left=scene.rest("row","row"),table2={head,items:groups.map(group=>tableRow(group,kind,scene)),tail:`
`,rank,left};if(inFull.length===0)return[table2];let summary=`<details><summary>The ${grouped(inFull.length)} rows that are folded above</summary>

`;return[table2,{head:summary+columns,items:inFull.map(row2=>tableRow({whole:row2,rows:[row2]},kind,scene)),tail:`
</details>

`,rank:rank+6,left}]}function answeredSection(scene){let kind="answeredDifferently",rows=trafficRows(scene.plan,kind);return rows.length===0?[]:[{head:`<details><summary>${`${TRAFFIC_TITLES[kind]}: ${count(rows.length,"kind")} of traffic that stays refused`}</summary>

| Traffic | Hosts | Decided by |
| :-- | :-- | :-- |
`,items:rows.map(row2=>tableRow({whole:row2,rows:[row2]},kind,scene)),tail:`
</details>

`,rank:12,left:scene.rest("row","row")}]}var tableRow=(group,kind,scene)=>`| ${trafficCell(group,kind,scene)} | ${hostsCell(group.whole.hosts)} | ${ruleCell(group.whole,kind,scene)} |
`;function trafficCell({whole,rows},kind,{naming}){let name=serviceName(whole,naming),what2=prose(protocolText(whole)),service=name===void 0?`**${what2}**`:`**${prose(name)}** (${what2})`,ends=endpoints(whole,naming,({text:text2,named})=>named?`**${prose(text2)}**`:code(text2)),several=rows.length>1,still=several&&cause(whole,kind).gone?", but for what other rules allow":"",extra=[...conditions(whole,naming,kind,rows).map(prose),...several?[`${grouped(rows.length)} rows`]:[]];return[`${service} ${ends}${still}`,...extra.length===0?[]:[`<sub>${extra.join(" · ")}</sub>`],`<sub>for example ${prose(exampleText(whole))}</sub>`].join("<br>")}function hostsCell(hosts){if(hosts.length<=3)return hosts.map(code).join(", ");let[first="",last=""]=[hosts[0],hosts.at(-1)];return`**${count(hosts.length,"host")}**<br><sub>${code(first)} … ${code(last)}</sub>`}function ruleCell(row2,kind,{linkTo}){let{rules:rules2,gone}=cause(row2,kind),verb=closes(kind)?[`<sub>${gone?"no longer allowed by":"refused by"}</sub>`]:[],deciders=rules2.slice(0,2).map(rule=>decider2(rule,linkTo)),more=rules2.length>2?[`and ${count(rules2.length-2,"more rule")}`]:[],before=untilNow(row2,kind).map(words),until=before.length===0?[]:[`<sub>until now ${UNTIL[kind]} ${before.join(" and ")}</sub>`];return[...verb,...deciders.length===0?["no rule"]:deciders,...more,...until].join("<br>")}function decider2(rule,linkTo){let{source}=rule;return(source===void 0||isOfHost(source)?"":`${locationLink(source,linkTo)}<br>`)+words(rule)}function words(rule){let reason=ruleReason(rule);return reason===void 0?code(clip(ruleText(rule),200)):prose(clip(reason,200))}function planMarkdown(plan2,options={}){let totals=planTotals(plan2),{linkTo}=options,elsewhere=options.elsewhere??"the whole plan",rest=(what2,block)=>left=>{let line=`${count(left,`more ${what2}`)} did not fit here: see ${elsewhere}.`;return block==="row"?`
_${line}_
`:`- _${line}_
`},traffic2={plan:plan2,naming:namingOf(plan2.names),linkTo,rest},sections=[verdictSection(totals,options),...unreadSection(plan2,totals,rest),...lockoutSection(plan2,totals,rest),...trafficSection(traffic2,"opened",2),...trafficSection(traffic2,"possiblyOpened",3),...trafficSection(traffic2,"closed",4),...trafficSection(traffic2,"possiblyClosed",5),...answeredSection(traffic2),...unprovedSection(plan2,totals,rest),...cutSection(plan2,totals,rest),...findingsSection(allFindings(plan2,options.policy),linkTo,rest),...diffSection(diffGroups(plan2),totals,rest),...foreignSection(plan2,rest),footer(plan2)];return assemble(sections,options.budget??COMMENT_BUDGET)}var NOTHING_LEFT=()=>"",fixed2=head=>({head,items:[],tail:"",rank:0,left:NOTHING_LEFT});function verdictSection(totals,{environment}){let where2=environment===void 0?"":`: ${prose(clip(environment,100))}`,verdict=clip(planVerdict(totals),600),mark=totals.lockout.violated.length>0||totals.findings.error>0?"CAUTION":severity(totals);return fixed2(`## Firewall plan${where2}

> [!${mark}]
> **${prose(verdict)}.**

`)}function severity(totals){return totals.unreachable+totals.error+totals.unproved.length+totals.cut.length+totals.lockout.notProven.length>0||totals.lockout.accepted.length>0?"WARNING":TRAFFIC_KINDS.some(kind=>totals.traffic[kind]>0)?"IMPORTANT":"TIP"}function unreadSection(plan2,totals,rest){let unread=plan2.hosts.filter(({status:status2})=>status2==="unreachable"||status2==="error");if(unread.length===0)return[];let title=`### ⚠️ ${count(totals.unreachable+totals.error,"host")} without a plan

`,items=folded2(unread,({status:status2,reason="no reason given"})=>`${status2==="error"?"could not be planned":"unreachable"}: ${prose(reason)}`);return[{head:title,items,tail:`
`,rank:0,left:rest("line","item")}]}var folded2=(hosts,say)=>[...groupBy(hosts,say)].map(([words2,group])=>`- ${hostNames(group.map(({host:host2})=>host2))} ${words2}
`);function hostNames(hosts){let[first="",last=""]=[hosts[0],hosts.at(-1)];return hosts.length>3?`**${count(hosts.length,"host")}** (${code(first)} … ${code(last)})`:list(hosts.map(code))}function lockoutSection(plan2,totals,rest){let risky=plan2.hosts.filter(({lockout})=>lockout!==void 0&&lockout.verdict!=="proved");if(risky.length===0)return[];let{violated}=totals.lockout,title=violated.length>0?`### ⛔ SSH would be locked out

`:`### ⚠️ Lock-out proof

`,items=folded2(risky,({lockout})=>{let state=lockout?.verdict==="violated"?"locked out":"not proved safe",accepted=lockout?.accepted?" **Accepted** with `accept-lockout-risk`.":"";return`${state}: ${prose(list(lockout?.reasons??[],4))}${accepted}`});return[{head:title,items,tail:`
`,rank:0,left:rest("line","item")}]}function unprovedSection(plan2,totals,rest){if(totals.unproved.length===0)return[];let hosts=plan2.hosts.filter(({traffic:traffic2})=>traffic2?.proved===!1);return[{head:`### ⚠️ Traffic not fully proved

`,items:folded2(hosts,({traffic:traffic2})=>`not fully proved: ${prose(traffic2?.why??"the proof was ended")}`),tail:`
`,rank:1,left:rest("line","item")}]}function cutSection(plan2,totals,rest){if(totals.cut.length===0)return[];let hosts=plan2.hosts.filter(({traffic:traffic2})=>(traffic2?.omitted??0)>0);return[{head:`### ⚠️ More traffic than can be listed

`,items:folded2(hosts,({traffic:traffic2})=>`${count(traffic2?.omitted??0,"row")} of traffic beyond those counted here`),tail:`
`,rank:1,left:rest("line","item")}]}var where=(location,linkTo)=>locationLink(location,isOfHost(location)?void 0:linkTo);function allFindings({hosts},policy=[]){return[...policy.filter(({level})=>level!=="note").map(({location,...rest})=>({...rest,...location===void 0?{}:{source:location}})).map(finding=>({finding,hosts:[]})),...findingRows(hosts)].toSorted((a,b)=>SEVERITY[a.finding.level]-SEVERITY[b.finding.level])}var LEVEL_MARK={error:"❌",warning:"⚠️",note:"ℹ️"};function findingsSection(rows,linkTo,rest){if(rows.length===0)return[];let line=({finding,hosts})=>{let location=finding.source===void 0?"":` ${where(finding.source,linkTo)}`,hint=finding.hint===void 0?"":` ${prose(finding.hint)}`,names=hosts.length<=3?hosts.map(code).join(", "):count(hosts.length,"host"),on=hosts.length===0?"":` (${names})`;return`- ${LEVEL_MARK[finding.level]}${location} ${prose(finding.message)}${hint}${on}
`},[first]=rows,rank=first?.finding.level==="error"?1:6;return[{head:`### Findings

`,items:rows.map(line),tail:`
`,rank,left:rest("finding","item")}]}function diffSection(groups,totals,rest){if(groups.length===0)return[];let{added,removed,moved}=totals.rules;return[{head:`### Rules: ${ruleCounts(added,removed,moved)}

`,items:groups.map(diffBlock),tail:"",rank:7,left:rest("rule diff","row")}]}var ruleCounts=(added,removed,moved)=>[...added+removed>0||moved===0?[`+${grouped(added)} −${grouped(removed)}`]:[],...moved>0?[`${grouped(moved)} moved`]:[]].join(", "),MAX_NAMES=200;function diffBlock(group){let names=group.hosts.slice(0,4).map(name=>`<code>${html(name)}</code>`).join(", "),more=group.hosts.length>4?` and ${grouped(group.hosts.length-4)} more`:"",every=group.hosts.length>4?`${count(group.hosts.length,"host")}: ${list(group.hosts.map(code),MAX_NAMES)}

`:"";return`<details><summary>${`${names}${more}: ${ruleCounts(group.added,group.removed,group.moved)}`}</summary>

${every}${fence(diffText(group),"diff")}

</details>

`}function foreignSection(plan2,rest){let hosts=plan2.hosts.filter(({foreign})=>foreign!==void 0&&foreign.rules+foreign.chains.length>0);if(hosts.length===0)return[];let head=`<details><summary>Left alone: rules that are not the policy's, on ${count(hosts.length,"host")}</summary>

`,items=folded2(hosts,({foreign})=>{let chains=foreign?.chains.slice(0,12).map(code).join(", ")??"",more=(foreign?.chains.length??0)>12?", …":"";return`with ${count(foreign?.rules??0,"rule")}${chains===""?"":` in ${chains}${more}`}`});return[{head,items,tail:`
</details>

`,rank:8,left:rest("line","item")}]}function footer(plan2){let commit=plan2.commit===null?"":` of commit ${code(shortCommit(plan2.commit))}`;return fixed2(`<sub>Plan ${code(clip(shortDigest(plan2.digest),100))}${commit}, against the live state of the hosts.</sub>
`)}var REPORT_INPUT={reportInput:!0},TYPES={string:"a string",number:"a number",boolean:"true or false",array:"an array",object:"an object",record:"an object"};function faultText({issues:[issue]}){let at=(issue?.path??[]).map(key=>typeof key=="number"?`[${key}]`:`.${String(key).slice(0,100)}`).join("").replace(/^\./,"")||"it";if(issue===void 0||issue.input===void 0)return`${at} is missing`;if(issue.code==="invalid_value")return`${at} is not ${issue.values.length>1?"one of ":""}${issue.values.join(", ")}`;let type=issue.code==="invalid_type"?TYPES[issue.expected]:void 0;return`${at} is not ${type??"valid"}`}var readPlan=(json,file)=>read(json,file,"plan",planSchema,"Write one with `sallyport plan --format json --output plan.json`."),readOutcomes=(json,file)=>read(json,file,"deploy report",outcomesSchema,"Write one with `sallyport deploy --format json`.");function read(json,file,what2,schema,hint){let bad=why2=>{let message=`${file} is not a ${what2} of this version: ${why2}.`;return{ok:!1,problems:[error(`bad-${what2.replace(" ","-")}`,message,void 0,hint)]}},value;try{value=JSON.parse(json)}catch{return bad("it is not JSON")}let parsed=schema.safeParse(value,REPORT_INPUT);return parsed.success?{ok:!0,value:parsed.data,problems:[]}:bad(faultText(parsed.error))}import{execFile}from"node:child_process";import{hostname,userInfo}from"node:os";async function commitOf(folder,env){let[changed,head]=await Promise.all([git(folder,"status","--porcelain","--","."),git(folder,"rev-parse","HEAD")]);return changed===void 0?env.GITHUB_SHA||env.CI_COMMIT_SHA||void 0:changed===""?head:void 0}function ownerOf(env){return`${env.GITLAB_USER_LOGIN??env.USER??env.LOGNAME??userInfo().username}@${hostname()}`}var git=(folder,...words2)=>new Promise(resolve=>{execFile("git",["-C",folder,...words2],{timeout:5e3},(failed,stdout)=>resolve(failed===null?stdout.trim():void 0))});async function runPlan(options,io){await mustBeWritable(options.output);let{tell,end}=eventReporter(io,"reading"),commit=await commitOf(options.policies,io.env),planned=await plan({...options,tell,...commit===void 0?{}:{commit}},toRead(io,options));end();let made=reportProblems(io,planned);return made===void 0?FAILED:(await report(io,options,made.value,PLAN_REPORTS),mustNotGo(made.value)?FAILED:options.exitCode&&planTotals(made.value).changed>0?DIFFERENT:DONE)}var PLAN_REPORTS={text:planText,markdown:planMarkdown,json:jsonText,html:planPage};function mustNotGo(made){let{unreachable,error:error2,findings:findings2,lockout}=planTotals(made);return unreachable+error2+findings2.error+lockout.violated.length+lockout.notProven.length>0}async function runDrift(options,io){await mustBeWritable(options.output);let{tell,end}=eventReporter(io,"reading"),looked=await drift({...options,tell},toRead(io,options));end();let found=reportProblems(io,looked);if(found===void 0)return FAILED;await report(io,options,found.value,{text:driftText,markdown:driftMarkdown,json:jsonText});let{drifted,busy,unreachable,error:error2}=driftTotals(found.value);return drifted>0?DIFFERENT:busy+unreachable+error2>0?FAILED:DONE}async function runStatus(options,io){await mustBeWritable(options.output);let{tell,end}=eventReporter(io,"reading"),asked=await status({...options,tell},overSsh(io,options));end();let said=reportProblems(io,asked);return said===void 0?FAILED:(await report(io,options,said.value,{text:statusText,markdown:()=>"",json:hosts=>jsonText(statusJson(hosts))}),said.value.every(({reading})=>reading.status==="read")?DONE:FAILED)}async function runDeploy(options,io){await mustBeWritable(options.output,options.journal);let reviewed=options.plan===void 0?void 0:reportProblems(io,readPlan(await readText(io,options.plan),options.plan));if(options.plan!==void 0&&reviewed===void 0)return FAILED;let which=options.hosts??"every host of the policy";if(!await mayGo(io,options,`This changes the firewall of ${which}. Go on?`))return FAILED;let{tell,end}=eventReporter(io,"deploying"),[commit]=await Promise.all([commitOf(options.policies,io.env),import("./host-open.entry.js")]),{signal,release}=interrupted(io),part=partOf(options),deployed=await deploy({...options,...part===void 0?{}:{part},owner:ownerOf(io.env),tell:options.journal===void 0?tell:journal(options.journal,tell),signal,...commit===void 0?{}:{commit},...reviewed===void 0?{}:{reviewed:reviewed.value}},overSsh(io,options)).finally(release);end();let done=reportProblems(io,deployed);return done===void 0?FAILED:reportOutcomes(io,options,done.value)}var partOf=({shard,wave})=>shard===void 0&&wave===void 0?void 0:{...shard===void 0?{}:{shard},...wave===void 0?{}:{waves:wave}};async function runRollback(host2,options,io){await mustBeWritable(options.output);let state=options.to===void 0?"the known-good state before this one":`its known-good state ${options.to}`,question=`This takes ${host2} back to ${state}. Go on?`;if(!await mayGo(io,options,question))return FAILED;let{tell,end}=eventReporter(io,"rolling back"),taken=await rollback({...options,host:host2,owner:ownerOf(io.env),tell},overSsh(io,options));end();let done=reportProblems(io,taken);return done===void 0?FAILED:reportOutcomes(io,options,done.value)}async function reportOutcomes(io,options,outcomes){return await report(io,options,outcomes,{text:outcomesText,markdown:outcomesMarkdown,json:jsonText}),allDeployed(outcomes)?DONE:FAILED}async function mayGo(io,{yes},question){return yes===!0||await confirm(io,question)!==!1}function interrupted(io){let controller=new AbortController,onSignal=()=>{release(),io.stderr.write(`
No further host is begun. Once more ends this program; the hosts look after themselves.
`),controller.abort()},signals=["SIGINT","SIGTERM"],release=()=>{for(let name of signals)process.off(name,onSignal)};for(let name of signals)process.on(name,onSignal);return{signal:controller.signal,release}}async function report(io,{format,output},value,reports){let paint=output===void 0?textOptions(io.stdout,io.env):{colour:!1};await emit(io,format==="text"?reports.text(value,paint):(reports[format]??reports.markdown)(value),output)}export{readPlan,readOutcomes,runPlan,PLAN_REPORTS,mustNotGo,runDrift,runStatus,runDeploy,runRollback,reportOutcomes,report};
