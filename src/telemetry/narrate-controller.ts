/** The reconciler's events, told as metrics under controller-runtime's names and as log lines: one per decision. */
import { conditionTypes, type ConditionType } from '../api/conditions.ts';
import type { ConditionView, Emit, MappingRef } from '../controller/events.ts';
import type { Fields, Log } from './log.ts';
import type { Metrics } from './metrics.ts';

const statuses = ['True', 'False', 'Unknown'] as const;
const controller = { controller: 'eventsourcemapping' } as const;

/** Tells the events of all mappings. */
export function narrateController(deps: { readonly metrics: Metrics; readonly log: Log }): Emit {
  const { metrics, log } = deps;
  let active = 0;

  const setCondition = ({ namespace, name }: MappingRef, type: ConditionType, status: string): void => {
    metrics.setOneOf(
      'sluice_resource_condition',
      { namespace, mapping: name, type },
      'status',
      statuses,
      status,
    );
  };

  return (event) => {
    const { mapping } = event;
    const facts: Fields = { mapping: `${mapping.namespace}/${mapping.name}`, generation: mapping.generation };
    switch (event.kind) {
      case 'pass-started':
        metrics.set('controller_runtime_active_workers', controller, ++active);
        return;
      case 'pass-ended':
        metrics.set('controller_runtime_active_workers', controller, --active);
        metrics.inc('controller_runtime_reconcile_total', { ...controller, result: event.result });
        if (event.result === 'error') metrics.inc('controller_runtime_reconcile_errors_total', controller);
        metrics.observe('controller_runtime_reconcile_time_seconds', controller, event.durationMs / 1000);
        for (const { type, status } of event.conditions) setCondition(mapping, type, status);
        return;
      case 'condition-changed':
        tellCondition(log, facts, event.condition);
        return;
      case 'condition-removed':
        if (conditionTypes[event.type].onlyWhileTrue) setCondition(mapping, event.type, 'False');
        log.debug('Condition removed', { ...facts, condition: event.type });
        return;
      case 'drift-found':
        for (const path of event.paths) metrics.inc('sluice_drift_detected_total', { field: fieldOf(path) });
        log.warn('The AWS mapping differs', {
          ...facts,
          fields: event.paths,
          stateReason: event.stateReason,
        });
        return;
      case 'drift-corrected':
        for (const path of event.paths) metrics.inc('sluice_drift_corrected_total', { field: fieldOf(path) });
        return;
      case 'acted':
        log.info(`The AWS mapping was ${event.action}`, { ...facts, uuid: event.uuid, detail: event.detail });
        return;
      case 'step-failed':
        if (event.terminal) metrics.inc('controller_runtime_terminal_reconcile_errors_total', controller);
        log.warn('A step failed', {
          ...facts,
          reason: event.reason,
          terminal: event.terminal,
          detail: event.message,
        });
        return;
      case 'request-handled':
        log.info('Handled a request to reconcile', { ...facts, token: event.token });
        return;
      case 'status-written':
        log.debug('Wrote the status', facts);
        return;
      case 'pass-failed':
        metrics.set('controller_runtime_active_workers', controller, --active);
        metrics.inc('controller_runtime_reconcile_total', { ...controller, result: 'error' });
        metrics.inc('controller_runtime_reconcile_errors_total', controller);
        log.warn('A pass failed', { ...facts, detail: event.message });
        return;
      case 'forgotten':
        metrics.forget(mapping.namespace, mapping.name);
        log.info('The mapping is gone', facts);
        return;
    }
  };
}

function tellCondition(log: Log, facts: Fields, condition: ConditionView): void {
  const { type, status, reason, message } = condition;
  const line = { ...facts, condition: type, status, reason, detail: message };
  if (type === 'Stalled') log.error('The mapping is stalled', line);
  else if (type === 'Ready' && status === 'True') log.info('The mapping is ready', line);
  else log.info('Condition changed', line);
}

/** Keys of tags and names of unknown members are the user's, and must not become labels. */
function fieldOf(path: string): string {
  return /^(tags|additionalParameters)\./.exec(path)?.[1] ?? path;
}
