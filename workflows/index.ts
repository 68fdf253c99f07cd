/** The workflow types, as the bundle exports them. */
export { agentWorkflow } from './agent';
export { hibernationWorkflow } from './hibernation';
export { resumptionWorkflow } from './resumption';
export { retirementWorkflow } from './retirement';
export { switchWorkflow } from './switch';
