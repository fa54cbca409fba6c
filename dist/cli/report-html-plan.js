import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{findingLine}from"./report-markdown-problems.js";import{COMMENT_BUDGET,assemble,fixed,heading,listSection,notShown}from"./report-markdown-budget.js";import{clip,code,fence,hostNames,html,locationLink,prose}from"./report-markdown-escape.js";import{jsonText}from"./report-view-json.js";import{hostsOverSsh,toRead}from"./cli-key.js";import{allDeployed,deploy,drift,driftText,driftView,outcomesText,outcomesView,plan,rollbackHost,statusText}from"./rollout-deploy-deploy.js";import{planText,planView}from"./report-view-plan-view.js";import{locationText}from"./report-view-format.js";import{eventReporter,journal}from"./rollout-drift-drift-items.js";import{driftTotals,planTotals}from"./report-view-boxes.js";import{DIFFERENT,DONE,FAILED,confirm,emit,mustBeWritable,readText,reportProblems,textOptions}from"./cli-io.js";import{visible,visibleLines}from"./lib-visible.js";import{pMap}from"./p-map-index.js";import{chooseHosts,withHosts}from"./policy-load.js";import{_enum,array,boolean,literal,number,object,record,string,union}from"./zod-v4-core-schemas.js";import{FAMILY,count,grouped,list,shortCommit,shortDigest}from"./lib-text.js";import{error,failure}from"./lib-problem.js";import{randomUUID}from"node:crypto";async function rollback(options,open){let chosen=oneHost(await chooseHosts({...options,hosts:options.host})),run={run:randomUUID(),commit:"",owner:options.owner};return withHosts(chosen,open,({fleet,hosts:[host]},client)=>host===void 0?Promise.resolve({version:1,commit:null,hosts:[]}):rollbackHost(fleet,host,client,run,options))}function oneHost(chosen){return!chosen.ok||chosen.value.hosts.length===1?chosen:failure(error("one-host",`rollback takes one host; ${chosen.value.hosts.length} were given.`,{hint:"To roll back a whole fleet, revert the commit and deploy it."}))}async function status(options,open){let{onEvent=()=>{}}=options;return withHosts(await chooseHosts(options),open,({fleet,hosts},client)=>(onEvent({kind:"begin",hosts:hosts.map(({name})=>name)}),pMap(hosts,async host=>{onEvent({kind:"reading",host:host.name});let reading=await client.read(host),words=reading.status==="read"?"":reading.problem.message;return onEvent({kind:"read",host:host.name,status:reading.status,words}),{host:host.name,reading}},{concurrency:options.parallel??fleet.rollout.parallel})))}var statusJson=hosts=>({version:1,hosts:hosts.map(({host,reading})=>{if(reading.status!=="read")return{host,status:reading.status,reason:reading.problem.message};let{record:record2,boot,backend,versions,facts}=reading.state;return{host,status:"read",record:record2,boot,backend,versions,facts}})});var page_default=`:root {
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
`;function planPage(plan2){let view=planView(plan2,"page");return`<!doctype html>
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
<p class="verdict">${text(view.verdict)}.</p>
<p class="soft">${text(view.digest)}${view.commit===null?"":`, commit ${text(shortCommit(view.commit))}`}</p>
<ul class="numbers">${view.figures.map(figure).join("")}</ul>
<div class="search"><input type="search" id="search" placeholder="Search hosts, ports, addresses, rules" aria-label="Search"> <output id="found" class="soft"></output></div>
${view.sections.map(planSection).join(`
`)}
${sectionHtml("Hosts",view.hosts.map(hostHtml))}
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
`,figure=({kind,number:number2,label})=>`<li class="${kind}"><b>${grouped(number2)}</b>${label}</li>`,sectionHtml=(title,items)=>`<section><h2>${title}</h2>
${items.join(`
`)}
</section>`,planSection=section=>sectionHtml(section.kind==="traffic"?`${section.title}: ${grouped(section.total)}`:section.title,itemsOf(section));function itemsOf(section){switch(section.kind){case"notes":return section.items.map(noteHtml);case"traffic":return[trafficTable(section)];case"findings":return section.items.map(findingHtml);case"rules":return section.items.map(diffHtml);case"unmanaged":return section.items.map(unmanagedHtml)}}var names=hosts=>hosts.map(text).join(", "),soft=html2=>`<span class="soft">${html2}</span>`,noteHtml=({hosts,state:state2,details})=>`<p data-item><b>${names(hosts)}</b> ${rich(state2)}${details.length===0?"":`: ${details.map(text).join(" ")}`}</p>`;function trafficTable({column,note,items}){let head=`<tr><th>Traffic</th><th>Hosts</th><th>${column??"Why"}</th></tr>`,body=items.map(item=>`<tr data-item><td>${trafficCell(item)}</td><td>${names(item.hosts)}</td><td>${ruleCell(item,column===void 0)}</td></tr>`);return`${note===void 0?"":`<p class="soft">${note}</p>`}<table><thead>${head}</thead><tbody>${body.join(`
`)}</tbody></table>`}function trafficCell({service,protocol,endpoints,conditions,example}){let what=service===void 0?`<b>${text(protocol)}</b>`:`<b>${text(service)}</b> (${text(protocol)})`,ends=endpoints.map(part=>{let html2=text(typeof part=="string"?part:part.text);return typeof part!="string"&&part.named?`<b>${html2}</b>`:html2});return[`${what} ${ends.join("")}`,...conditions.length===0?[]:[soft(conditions.map(text).join(" · "))],soft(`for example ${text(example)}`)].join("<br>")}function ruleCell({verb,rules,former,formerVerb},withVerb){let until=former.length===0?"":`<br>${soft(`until now ${formerVerb}`)} ${former.map(ruleHtml).join("<br>")}`;return`${withVerb?`${verb} `:""}${rules.map(ruleHtml).join("<br>")}${until}`}function ruleHtml({source,reason,text:rule2}){return`${source===void 0?"":`${soft(text(locationText(source)))}<br>`}${reason===void 0?"":`${text(reason)}<br>`}<code>${text(rule2)}</code>`}function findingHtml({finding:{level,source,message,hint},hosts}){let location2=source===void 0?"":`${soft(text(locationText(source)))} `;return`<p data-item>${level==="error"?'<b class="bad">error</b>':`<b>${level}</b>`} ${location2}${rich(message)}${hint===void 0?"":` ${rich(hint)}`} ${soft(names(hosts))}</p>`}function diffHtml({hosts,counts,text:diff,open}){let lines=visibleLines(diff).split(`
`).map(diffLine).join(`
`),title=hosts.length===1?names(hosts):count(hosts.length,"host");return`<details data-item${open?" open":""}><summary>${title}: ${counts}</summary><p class="soft">${names(hosts)}</p><pre>${lines}</pre></details>`}var CLASSES={"+":"add","-":"del","@":"at"};function diffLine(line){let kind=CLASSES[line.charAt(0)];return kind===void 0?text(line):`<span class="${kind}">${text(line)}</span>`}var unmanagedHtml=({hosts,rules,chains})=>`<p data-item><b>${names(hosts)}</b> ${count(rules,"rule")}${chains.length===0?"":` in ${names(chains)}`}</p>`;function hostHtml({host,status:status2,bad,lockout}){let state2=bad?`<b class="bad">${status2}</b>`:status2;return`<p data-item><b>${text(host)}</b><span class="tag">${state2}</span>${lockout===void 0?"":` ${soft(`lock-out: ${lockout}`)}`}</p>`}var MAX_ITEMS=40;function driftMarkdown(drift2,options={}){let{linkTo,budget=COMMENT_BUDGET}=options,view=driftView(drift2,MAX_ITEMS),left=noun=>notShown(noun,options),drifted=view.drifted.map(host=>hostBlock(host,linkTo)),unread=view.unread.map(({host,state:state2,reason})=>`- ${code(host)} ${state2}: ${prose(reason)}
`),expiring=view.expiring.map(({message,source})=>`- ${prose(message)}${source===void 0?"":` (${locationLink(source,linkTo)})`}
`);return assemble([heading("Firewall drift",options,view.clean?"TIP":"WARNING",view.verdict),listSection("",drifted,"",2,left("drifted host")),listSection(`### Hosts that could not be read

`,unread,`
`,1,left("host")),listSection(`### Rules that have expired or expire soon

`,expiring,`
`,3,left("rule")),fixed(view.ignored===""?"":`<sub>${view.ignored}</sub>
`)],budget)}function hostBlock({host,places},linkTo){let blocks=places.map(({title,items,omitted})=>{let more=omitted>0?`- _${count(omitted,"more difference")}_
`:"";return`**${title}**

${items.map(item=>itemLine(item,linkTo)).join("")}${more}
`});return`### ${code(host)}

${blocks.join("")}`}function itemLine({family:family2,message,rule:rule2,source},linkTo){let location2=source===void 0?"":` (${locationLink(source,linkTo)})`;return`- ${family2===void 0?"":`${FAMILY[family2]}: `}${prose(message)}${location2}${rule2===void 0?"":`<br>${code(rule2)}`}
`}var MARKS={confirmed:"✅ confirmed",unchanged:"✅ unchanged","rolled-back":"↩️ rolled back",refused:"⛔ refused",unreachable:"🔌 unreachable",unknown:"❓ unknown","not-reached":"⏸️ not reached"};function outcomesMarkdown(outcomes,options={}){let view=outcomesView(outcomes,"worst-first"),advice=view.advice.map(({outcome:outcome2,hosts,text:text3})=>`- ${MARKS[outcome2]} (${grouped(hosts)}): ${prose(text3)}
`);return assemble([heading("Firewall deploy",options,view.succeeded?"TIP":"CAUTION",view.verdict),fixed(view.stopped===void 0?"":`${prose(clip(view.stopped,1e3))}

`),fixed(advice.length===0?"":`### What now

${advice.join("")}
`),{head:view.hosts.length===0?"":`| Host | Outcome | Wave | Time | |
| :-- | :-- | :-- | --: | :-- |
`,items:view.hosts.map(tableRow),tail:view.hosts.length===0?"":`
`,rank:1,left:number2=>`
_${notShown("host",options)(number2)}_
`},{head:view.changed.length===0?"":`### Not as reviewed

`,items:view.changed.map(changesBlock),tail:"",rank:2,left:number2=>`_${notShown("difference",options)(number2)}_

`},fixed(view.commit===null?"":`<sub>Commit ${code(shortCommit(view.commit))}.</sub>
`)],options.budget??COMMENT_BUDGET)}var tableRow=({host,outcome:outcome2,wave,time,reason})=>`| ${code(host)} | ${MARKS[outcome2]} | ${wave} | ${time} | ${prose(reason)} |
`,changesBlock=({hosts,changes})=>[`<details><summary>${html(list(hosts,8))}</summary>

`,...changes.map(({title,text:text3,isDiff})=>`${title}:

${isDiff?fence(text3,"diff"):text3}

`),`</details>

`].join("");var MARKS2={opened:"🔓",possiblyOpened:"🔓",closed:"🔒",possiblyClosed:"🔒",answeredDifferently:"↩️"},JOINED_RANK=6;function trafficSections(section,left,linkTo){let{title,change,total,note,column="Why",collapsed,rank}=section,columns=`| Traffic | Hosts | ${column} |
| :-- | :-- | :-- |
`,rowOf=item=>`| ${trafficCell2(item)} | ${hostNames(item.hosts,"cell")} | ${ruleCell2(item,section,linkTo)} |
`,table2=(head,items,tail,rank2)=>({head:head+columns,items:items.map(rowOf),tail,rank:rank2,left:number2=>`
_${left(number2)}_
`}),details=summary=>`<details><summary>${summary}</summary>

`,below=note===void 0?"":`${note}

`,heading2=`${MARKS2[change]} ${title}`;return[collapsed?table2(details(`${heading2}: ${count(total,"row")}`)+below,section.items,END,rank):table2(`### ${heading2} ${grouped(total)}

${below}`,section.items,`
`,rank),...section.joined.length===0?[]:[table2(details(`The ${grouped(section.joined.length)} rows that are joined above`),section.joined,END,rank+JOINED_RANK)]]}var END=`
</details>

`;function trafficCell2({service,protocol,endpoints,conditions,example}){let what=service===void 0?`**${prose(protocol)}**`:`**${prose(service)}** (${prose(protocol)})`,ends=endpoints.map(part=>typeof part=="string"?part:part.named?`**${prose(part.text)}**`:code(part.text));return[`${what} ${ends.join("")}`,...conditions.length===0?[]:[`<sub>${conditions.map(prose).join(" · ")}</sub>`],`<sub>for example ${prose(example)}</sub>`].join("<br>")}function ruleCell2(item,{column},linkTo){let{verb,rules,omittedRules,former,formerVerb}=item,deciding=rules.map(rule2=>(rule2.source===void 0?"":`${locationLink(rule2.source,linkTo)}<br>`)+ruleLabel(rule2));return[...column===void 0?[`<sub>${verb}</sub>`]:[],...deciding.length===0?["no rule"]:deciding,...omittedRules===0?[]:[`and ${count(omittedRules,"more rule")}`],...former.length===0?[]:[`<sub>until now ${formerVerb} ${former.map(ruleLabel).join(" and ")}</sub>`]].join("<br>")}var ruleLabel=({reason,text:text3})=>reason===void 0?code(clip(text3,200)):prose(clip(reason,200));function planMarkdown(plan2,options={}){let view=planView(plan2,"comment",options.policy),commit=view.commit===null?"":` of commit ${code(shortCommit(view.commit))}`,digest=code(clip(shortDigest(view.digest),100));return assemble([heading("Firewall plan",options,ALERTS[view.level],view.verdict),...view.sections.flatMap(section=>sectionsOf(section,options)),fixed(`<sub>Plan ${digest}${commit}, against the live state of the hosts.</sub>
`)],options.budget??COMMENT_BUDGET)}var ALERTS={error:"CAUTION",warning:"WARNING",change:"IMPORTANT",none:"TIP"},NOTE_MARK={error:"⛔",warning:"⚠️"};function sectionsOf(section,options){let{title,rank}=section,{linkTo}=options,left=noun=>notShown(noun,options),head=`### ${title}

`;switch(section.kind){case"notes":{let marked=`### ${NOTE_MARK[section.level]} ${title}

`;return[listSection(marked,section.items.map(noteLine),`
`,rank,left("line"))]}case"traffic":return trafficSections(section,left("row"),linkTo);case"findings":{let items=section.items.map(row=>findingLine(row,linkTo));return[listSection(head,items,`
`,rank,left("finding"))]}case"rules":{let more=number2=>`
_${left("rule diff")(number2)}_
`;return[{head,items:section.items.map(diffBlock),tail:"",rank,left:more}]}case"unmanaged":{let items=section.items.map(unmanagedLine),summary=`<details><summary>${title}</summary>

`;return[listSection(summary,items,`
</details>

`,rank,left("line"))]}}}var noteLine=({hosts,state:state2,details})=>`- ${hostNames(hosts)} ${prose(state2)}${details.length===0?"":`: ${prose(list(details))}`}
`,MAX_NAMES=200;function diffBlock({hosts,counts,text:text3}){let names2=hosts.slice(0,4).map(name=>`<code>${html(name)}</code>`).join(", "),many=hosts.length>4,more=many?` and ${grouped(hosts.length-4)} more`:"",every=many?`${count(hosts.length,"host")}: ${list(hosts.map(code),MAX_NAMES)}

`:"";return`<details><summary>${names2}${more}: ${counts}</summary>

${every}${fence(text3,"diff")}

</details>

`}function unmanagedLine({hosts,rules,chains,omittedChains}){let names2=[...chains.map(code),...omittedChains>0?["…"]:[]].join(", ");return`- ${hostNames(hosts)}: ${count(rules,"rule")}${names2===""?"":` in ${names2}`}
`}var object2=fields=>object(fields),oneOf=members=>_enum(Object.keys(members)),text2=string(),texts=array(text2),optionalText=text2.optional(),optionalNumber=number().optional(),flag=literal(!0).optional(),family=oneOf({v4:!0,v6:!0}),table=oneOf({raw:!0,mangle:!0,nat:!0,filter:!0,security:!0}),hook=oneOf({INPUT:!0,OUTPUT:!0,FORWARD:!0}),state=oneOf({NEW:!0,ESTABLISHED:!0,RELATED:!0,INVALID:!0,UNTRACKED:!0}),location=object2({kind:_enum(["policy","host","file"]).default("policy"),file:text2,line:number(),column:number()}).meta({id:"SourceLocation"}),optionalLocation=location.optional(),rule=object2({table:text2,chain:text2,number:number(),text:text2,reason:optionalText,source:optionalLocation}).meta({id:"DecidingRule"}),packet=object2({hook,in:optionalText,out:optionalText,src:text2,dst:text2,protocol:text2,sport:optionalNumber,dport:optionalNumber,flags:optionalText,state:state.optional(),type:optionalNumber,code:optionalNumber,mac:optionalText,uid:optionalNumber,gid:optionalNumber,packetType:_enum(["unicast","broadcast","multicast","otherhost"]).optional()}),flow=object2({family,hook,in:texts,out:texts,exceptLoopback:flag,state:array(state),protocol:text2,src:texts,dst:texts,sport:texts,dport:texts,type:texts,also:texts.optional(),before:rule.nullable(),after:rule.nullable(),example:packet}).meta({id:"Flow"}),flows=array(flow),ruleChange=object2({table,chain:text2,text:text2,source:optionalLocation}),ruleChanges=array(ruleChange),ruleDiff=object2({added:ruleChanges,removed:ruleChanges,moved:ruleChanges,text:text2}).meta({id:"RuleDiff"}),setDiff=object2({name:text2,added:texts,removed:texts,options:object({before:text2,after:text2}).optional()}).meta({id:"SetDiff"}),finding=object2({id:text2,level:oneOf({error:!0,warning:!0,note:!0}),message:text2,hint:optionalText,source:optionalLocation}).meta({id:"Finding"}),hostPlan=object2({host:text2,status:oneOf({changed:!0,unchanged:!0,unreachable:!0,error:!0}),reason:optionalText,live:optionalText,next:optionalText,machine:optionalText,rules:object({v4:ruleDiff,v6:ruleDiff}).optional(),sets:array(setDiff).optional(),traffic:object2({equal:boolean(),proved:boolean(),why:optionalText,omitted:optionalNumber,opened:flows,closed:flows,possiblyOpened:flows,possiblyClosed:flows,answeredDifferently:flows}).optional(),lockout:object2({verdict:oneOf({proved:!0,violated:!0,"not-proven":!0}),reasons:texts,accepted:boolean()}).optional(),findings:array(finding),foreign:object({chains:texts,rules:number()}).optional()}),map=object2({version:literal(1),nodes:array(object2({id:text2,kind:oneOf({anywhere:!0,network:!0,role:!0,host:!0,addresses:!0}),name:text2,hosts:texts.optional(),networks:texts.optional(),holds:texts.optional()})),edges:array(object2({from:text2,to:text2,service:text2,families:array(family),hosts:texts.optional(),part:flag,conditional:flag,blocked:flag,rules:array(location),change:_enum(["added","removed","changed"]).optional()})),missing:array(object({host:text2,why:text2})),notes:array(finding)}),named=record(text2,texts),planSchema=object2({version:literal(1),commit:text2.nullable(),digest:text2,hosts:array(hostPlan),states:record(text2,object2({v4:text2,v6:text2,sets:text2,nft:text2.optional()})).optional(),names:object2({networks:named,hosts:named,services:named}).optional(),map:map.optional(),shard:object2({index:number(),of:number(),fleet:texts,policy:array(finding).optional()}).optional()}),stateDiff=object2({v4:ruleDiff,v6:ruleDiff,sets:array(setDiff)}),outcome=object2({host:text2,outcome:oneOf({unchanged:!0,confirmed:!0,"rolled-back":!0,refused:!0,unreachable:!0,unknown:!0,"not-reached":!0}),wave:number(),phase:oneOf({connect:!0,preflight:!0,snapshot:!0,rehearse:!0,arm:!0,apply:!0,verify:!0,confirm:!0,persist:!0,disarm:!0,rollback:!0,done:!0,soak:!0}),reason:text2,seconds:number(),drops:object2({before:number().nullable(),during:number()}).optional(),changed:object2({since:stateDiff.optional(),next:stateDiff}).optional()}),outcomesSchema=object2({version:literal(1),commit:text2.nullable(),hosts:array(outcome),stopped:optionalText,part:object2({shard:object({index:number(),of:number()}).optional(),waves:union([object({from:number(),to:optionalNumber}),literal("bastions")]).optional(),fleet:array(object2({number:number(),hosts:texts}))}).optional()}),driftItem=object2({kind:oneOf({missing:!0,extra:!0,moved:!0,policy:!0,set:!0,file:!0,boot:!0,expired:!0,bypass:!0,native:!0}),family:family.optional(),message:text2,rule:optionalText,source:optionalLocation}).meta({id:"DriftItem"}),driftItems=array(driftItem),driftSchema=object2({version:literal(1),hosts:array(object2({host:text2,status:oneOf({clean:!0,drifted:!0,busy:!0,unreachable:!0,error:!0}),reason:optionalText,live:driftItems,saved:driftItems,boot:driftItems,ignored:object({chains:number(),rules:number()}).optional()})),due:array(finding).optional()});var REPORT_INPUT={reportInput:!0},TYPES={string:"a string",number:"a number",boolean:"true or false",array:"an array",object:"an object",record:"an object"};function faultText({issues:[issue]}){let at=(issue?.path??[]).map(key=>typeof key=="number"?`[${key}]`:`.${String(key).slice(0,100)}`).join("").replace(/^\./,"")||"it";if(issue===void 0||issue.input===void 0)return`${at} is missing`;if(issue.code==="invalid_value")return`${at} is not ${issue.values.length>1?"one of ":""}${issue.values.join(", ")}`;let type=issue.code==="invalid_type"?TYPES[issue.expected]:void 0;return`${at} is not ${type??"valid"}`}var readPlan=(json,file)=>read(json,file,"plan",planSchema,"Write one with `sallyport plan --format json --output plan.json`."),readOutcomes=(json,file)=>read(json,file,"deploy report",outcomesSchema,"Write one with `sallyport deploy --format json`.");function read(json,file,what,schema,hint){let bad=why=>{let message=`${file} is not a ${what} of this version: ${why}.`;return failure(error(`bad-${what.replace(" ","-")}`,message,{hint}))},value;try{value=JSON.parse(json)}catch{return bad("it is not JSON")}let parsed=schema.safeParse(value,REPORT_INPUT);return parsed.success?{ok:!0,value:parsed.data,problems:[]}:bad(faultText(parsed.error))}import{execFile}from"node:child_process";import{hostname,userInfo}from"node:os";async function commitOf(folder,env){let[changed,head]=await Promise.all([git(folder,"status","--porcelain","--","."),git(folder,"rev-parse","HEAD")]);return changed===void 0?env.GITHUB_SHA||env.CI_COMMIT_SHA||void 0:changed===""?head:void 0}function ownerOf(env){return`${env.GITLAB_USER_LOGIN??env.USER??env.LOGNAME??userInfo().username}@${hostname()}`}var git=(folder,...words)=>new Promise(resolve=>{execFile("git",["-C",folder,...words],{timeout:5e3},(failed,stdout)=>resolve(failed===null?stdout.trim():void 0))});async function runPlan(options,io){await mustBeWritable(options.output);let{onEvent,end}=eventReporter(io,"reading"),commit=await commitOf(options.policies,io.env),planned=await plan({...options,onEvent,commit},toRead(options,hostsOverSsh(io,options)));end();let made=reportProblems(io,planned);return made===void 0?FAILED:(await report(io,options,made.value,PLAN_REPORTS),isBlocked(made.value)?FAILED:options.exitCode&&planTotals(made.value).changed>0?DIFFERENT:DONE)}var PLAN_REPORTS={text:planText,markdown:planMarkdown,json:jsonText,html:planPage};function isBlocked(made){let{unreachable,error:error2,findings,lockout}=planTotals(made);return unreachable+error2+findings.error+lockout.violated.length+lockout.notProven.length>0}async function runDrift(options,io){await mustBeWritable(options.output);let{onEvent,end}=eventReporter(io,"reading"),result=await drift({...options,onEvent},toRead(options,hostsOverSsh(io,options)));end();let found=reportProblems(io,result);if(found===void 0)return FAILED;await report(io,options,found.value,{text:driftText,markdown:driftMarkdown,json:jsonText});let{drifted,busy,unreachable,error:error2}=driftTotals(found.value);return drifted>0?DIFFERENT:busy+unreachable+error2>0?FAILED:DONE}async function runStatus(options,io){await mustBeWritable(options.output);let{onEvent,end}=eventReporter(io,"reading"),result=await status({...options,onEvent},hostsOverSsh(io,options));end();let found=reportProblems(io,result);return found===void 0?FAILED:(await report(io,options,found.value,{text:statusText,markdown:()=>"",json:hosts=>jsonText(statusJson(hosts))}),found.value.every(({reading})=>reading.status==="read")?DONE:FAILED)}async function runDeploy(options,io){await mustBeWritable(options.output,options.journal);let reviewed=options.plan===void 0?void 0:reportProblems(io,readPlan(await readText(io,options.plan),options.plan));if(options.plan!==void 0&&reviewed===void 0)return FAILED;let which=options.hosts??"every host of the policy";if(!await confirmed(io,options,`This changes the firewall of ${which}. Continue?`))return FAILED;let{onEvent,end}=eventReporter(io,"deploying"),[commit]=await Promise.all([commitOf(options.policies,io.env),import("./host-open.entry.js")]),{signal,release}=interrupted(io),part=partOf(options),deployed=await deploy({...options,part,owner:ownerOf(io.env),onEvent:options.journal===void 0?onEvent:journal(options.journal,onEvent),signal,commit,reviewed:reviewed?.value},hostsOverSsh(io,options)).finally(release);end();let done=reportProblems(io,deployed);return done===void 0?FAILED:reportOutcomes(io,options,done.value)}var partOf=({shard,wave})=>shard===void 0&&wave===void 0?void 0:{shard,waves:wave};async function runRollback(host,options,io){await mustBeWritable(options.output);let state2=options.to===void 0?"the known-good state before this one":`its known-good state ${options.to}`,question=`This rolls ${host} back to ${state2}. Continue?`;if(!await confirmed(io,options,question))return FAILED;let{onEvent,end}=eventReporter(io,"rolling back"),result=await rollback({...options,host,owner:ownerOf(io.env),onEvent},hostsOverSsh(io,options));end();let done=reportProblems(io,result);return done===void 0?FAILED:reportOutcomes(io,options,done.value)}async function reportOutcomes(io,options,outcomes){return await report(io,options,outcomes,{text:outcomesText,markdown:outcomesMarkdown,json:jsonText}),allDeployed(outcomes)?DONE:FAILED}async function confirmed(io,{yes},question){return yes===!0||await confirm(io,question)!==!1}function interrupted(io){let controller=new AbortController,onSignal=()=>{release(),io.stderr.write(`
No further host is started. Press Ctrl-C again to exit at once; hosts that are not confirmed roll themselves back.
`),controller.abort()},signals=["SIGINT","SIGTERM"],release=()=>{for(let name of signals)process.off(name,onSignal)};for(let name of signals)process.on(name,onSignal);return{signal:controller.signal,release}}async function report(io,{format,output},value,reports){let paint=output===void 0?textOptions(io.stdout,io.env):{colour:!1};await emit(io,format==="text"?reports.text(value,paint):(reports[format]??reports.markdown)(value),output)}export{readPlan,readOutcomes,runPlan,PLAN_REPORTS,isBlocked,runDrift,runStatus,runDeploy,runRollback,reportOutcomes,report};
