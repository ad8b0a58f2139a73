// The plan of a turn, and how far it is.
import { Box, Card, Typography } from '@mui/material';
import EmptyIcon from 'mdi-material-ui/CheckboxBlankCircleOutline';
import DoneIcon from 'mdi-material-ui/CheckCircleOutline';
import DroppedIcon from 'mdi-material-ui/MinusCircleOutline';
import DoingIcon from 'mdi-material-ui/ProgressClock';
import { ReactElement, memo } from 'react';

import { PlanState, PlanStep, progressOf } from '../store/plan';
import { plain, shorten } from '../../text';
import { t } from '../../i18n/i18n';

function StateIcon({ state }: { state: PlanState }): ReactElement {
  switch (state) {
    case 'todo':
      return <EmptyIcon fontSize="small" color="disabled" titleAccess={t('plan.toDo')} />;
    case 'doing':
      return <DoingIcon fontSize="small" color="primary" titleAccess={t('plan.beingDone')} />;
    case 'done':
      return <DoneIcon fontSize="small" color="success" titleAccess={t('plan.done')} />;
    case 'dropped':
      return <DroppedIcon fontSize="small" color="disabled" titleAccess={t('plan.dropped')} />;
  }
}

export const Plan = memo(function Plan({ steps }: { steps: readonly PlanStep[] }): ReactElement {
  return (
    <Card
      component="section"
      variant="outlined"
      aria-label={t('plan.about', { progress: progressOf(steps) })}
      data-testid="plan"
      sx={{ my: 1, px: 1.5, py: 1, borderRadius: 1 }}
    >
      <Typography variant="body1" component="span" sx={{ fontWeight: 700, mr: 1 }}>
        {t('plan.plan')}
      </Typography>
      <Typography variant="body2" component="span" color="text.secondary">
        {progressOf(steps)}
      </Typography>
      <Box component="ol" sx={{ m: 0, mt: 0.5, p: 0, listStyle: 'none' }}>
        {steps.map(({ text, state }, i) => (
          <Box
            component="li"
            key={i}
            aria-current={state === 'doing' ? 'step' : undefined}
            sx={{ display: 'flex', gap: 1, py: 0.25, alignItems: 'flex-start' }}
          >
            <StateIcon state={state} />
            <Typography
              variant="body2"
              color={state === 'dropped' ? 'text.secondary' : 'text.primary'}
              sx={{
                overflowWrap: 'anywhere',
                textDecoration: state === 'dropped' ? 'line-through' : 'none',
                fontWeight: state === 'doing' ? 700 : undefined,
              }}
            >
              {plain(shorten(text, 200))}
            </Typography>
          </Box>
        ))}
      </Box>
    </Card>
  );
});
