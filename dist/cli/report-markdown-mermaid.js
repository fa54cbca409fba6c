import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{drawingOf,flowRows,mapVerdict}from"./report-view-map-view.js";import{SUMMARY_BUDGET,assemble,fixed,listSection}from"./report-markdown-budget.js";import{code,fence,html,locationLink,prose}from"./report-markdown-escape.js";import"./report-view-format.js";import{visible}from"./lib-visible.js";import"./netfilter-text-tokens.js";import"./lib-group.js";import{count,grouped,list}from"./lib-text.js";import"./runtime.js";var MOST_ARROWS=60,LONGEST=48,MOST_SERVICES=4,CLASSES={role:"fill:#ddf4ff,stroke:#0969da,color:#0a3069",host:"fill:#ddf4ff,stroke:#0969da,color:#0a3069,stroke-dasharray:4 3",network:"fill:#fff8c5,stroke:#9a6700,color:#4d2d00",anywhere:"fill:#ffebe9,stroke:#cf222e,color:#82071e",addresses:"fill:#f6f8fa,stroke:#57606a,color:#24292f"},SHAPES={role:["[","]"],host:["[","]"],network:["([","])"],anywhere:["{{","}}"],addresses:["([","])"]},SIGNS={added:"+ ",removed:"− ",changed:"± "},STROKES={added:"stroke:#1a7f37,stroke-width:3px,color:#1a7f37",removed:"stroke:#cf222e,stroke-width:3px,stroke-dasharray:6 4,color:#cf222e",changed:"stroke:#9a6700,stroke-width:3px,color:#9a6700",blocked:"stroke:#8c959f,stroke-width:1.5px,stroke-dasharray:2 4",unchanged:"stroke:#8c959f,stroke-width:1.5px"};function mermaidText({nodes,arrows}){let ids=new Map(nodes.map(({id},index)=>[id,`n${index}`])),kinds=[...new Set(nodes.map(({kind})=>kind))];return["flowchart LR",...nodes.map(node=>{let[open,close]=SHAPES[node.kind];return`  ${ids.get(node.id)}${open}"${nodeLabel(node)}"${close}:::${node.kind}`}),...arrows.map(arrow=>`  ${ids.get(arrow.from)} ${line(arrow)}|"${arrowLabel(arrow)}"| ${ids.get(arrow.to)}`),...kinds.map(kind=>`  classDef ${kind} ${CLASSES[kind]}`),...strokes(arrows)].join(`
`)}var line=({blocked})=>blocked?"-.-x":"==>";function strokes(arrows){let styles=new Map;for(let[index,{change,blocked}]of arrows.entries()){let style=change??(blocked?"blocked":"unchanged");styles.set(style,[...styles.get(style)??[],index])}return[...styles].map(([style,indices])=>`  linkStyle ${indices.join(",")} ${STROKES[style]}`)}function nodeLabel({name,kind,hosts=[],networks=[],holds=[]}){let[first=""]=networks,more=networks.length>1?` and ${networks.length-1} more`:"",below=[...kind==="role"?[count(hosts.length,"host")]:[],...kind==="network"&&first!==""?[`${first}${more}`]:[],...holds.length===0?[]:[`with ${holds.join(", ")}`]];return[label(name),...below.map(text=>`<small>${label(text)}</small>`)].join("<br>")}function arrowLabel({services,change}){let shown=services.slice(0,MOST_SERVICES),more=services.length>shown.length?[`${services.length-shown.length} more`]:[];return`${change===void 0?"":SIGNS[change]}${[...shown,...more].map(label).join("<br>")}`}function label(text){let shown=visible(text);return shown.trim()===""?"#160;":(shown.length>LONGEST?`${shown.slice(0,LONGEST-1)}…`:shown).replace(/[^\p{L}\p{N} .,/:()…-]/gu,character=>`#${character.codePointAt(0)};`).replace(/^(?:-|\d+[.)])(?= )/,start=>`#${start.codePointAt(0)};${start.slice(1)}`)}function mapMarkdown(map,notes,options={}){let{linkTo,collapsed=!1,budget=SUMMARY_BUDGET}=options,verdict=mapVerdict(map),missing=map.missing.map(({host,why})=>`- ${code(host)}: ${prose(why)}
`),oneSided=notes.map(({message,source})=>`- ${source===void 0?"":`${locationLink(source,linkTo)} `}${prose(message)}
`);return assemble([fixed(collapsed?`<details><summary>Map: ${html(verdict)}</summary>

`:`## Who may connect to whom

${prose(verdict)}.

`),...picture(map),listSection(`**Missing hosts:**

`,missing,`
`,2,left("hosts")),listSection(`**One-sided flows:**

`,oneSided,`
`,3,left("one-sided flows")),{head:`<details><summary>Every flow</summary>

| | From | To | What | Lines |
| :-- | :-- | :-- | :-- | :-- |
`,items:flowRows(map,MOST_LINES).map(row=>tableRow(row,linkTo)),tail:`
</details>

`,rank:4,left:number=>`
_${left("flows")(number)}_
`},fixed(collapsed?`</details>
`:"")],budget)}var left=what=>number=>`${grouped(number)} more ${what} did not fit here.`;function picture(map){let drawing=drawingOf(map,MOST_ARROWS);if(drawing.arrows.length===0)return[];let changes=map.edges.some(({change})=>change!==void 0),notDrawn=drawing.left===0?"":` ${grouped(drawing.left)} of ${grouped(map.edges.length)} flows are not drawn: the table has them all.`,text=`Arrows start at the side that opens the connection.${changes?" Green is added (+), red removed (−), amber changed (±).":""} A crossed end means refused there.${notDrawn}`;return[{head:"",items:[`${fence(mermaidText(drawing),"mermaid")}

<sub>${text}</sub>

`],tail:"",rank:1,left:()=>`_The picture did not fit here._

`}]}var MOST_LINES=3;function tableRow(row,linkTo){let{change="",from,to,service,limits,lines,omittedLines}=row,links=lines.map(location=>locationLink(location,linkTo)),all=list([...links,...omittedLines===0?[]:[`${omittedLines} more`]]);return`| ${change} | ${code(from)} | ${code(to)} | ${code(service)}${limits} | ${all} |
`}export{mapMarkdown};
