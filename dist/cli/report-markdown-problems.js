import { createRequire as __createRequire } from 'node:module';import { fileURLToPath as __fileURLToPath } from 'node:url';import { dirname as __pathDirname } from 'node:path';const require = __createRequire(import.meta.url);const __filename = __fileURLToPath(import.meta.url);const __dirname = __pathDirname(__filename);
import{COMMENT_BUDGET,assemble}from"./report-markdown-budget.js";import{locationLink,prose}from"./report-markdown-escape.js";import{count}from"./lib-text.js";import{byLocation}from"./lib-problem.js";var LEVEL_MARK={error:"❌",warning:"⚠️",note:"ℹ️"},LEVELS=["error","warning","note"];function problemsVerdict(problems){let parts=LEVELS.map(level=>({level,number:problems.filter(one=>one.level===level).length})).filter(({number})=>number>0).map(({level,number})=>count(number,level));return parts.length===0?"No problems":parts.join(", ")}function problemsMarkdown(heading,problems,options={}){let sorted=problems.toSorted((a,b)=>LEVELS.indexOf(a.level)-LEVELS.indexOf(b.level)||byLocation(a,b)),line=problem=>{let location=problem.location===void 0?"":` ${locationLink(problem.location,options.linkTo)}`,hint=problem.hint===void 0?"":` ${prose(problem.hint)}`;return`- ${LEVEL_MARK[problem.level]}${location} ${prose(problem.message)}${hint}
`},alert=problems.some(({level})=>level==="error")?"CAUTION":problems.length>0?"NOTE":"TIP";return assemble([{head:`## ${prose(heading)}

> [!${alert}]
> **${problemsVerdict(problems)}.**

`,items:sorted.map(line),tail:"",rank:0,left:left=>`- _${count(left,"more problem")}: see the log of the job._
`}],options.budget??COMMENT_BUDGET)}export{LEVEL_MARK,problemsMarkdown};
