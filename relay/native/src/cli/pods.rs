//! The options of pods.

use std::ffi::OsString;
use std::path::PathBuf;

use moorline_host::driver::kubernetes::KubernetesConfig;

/// The options of a host's pods.
#[derive(Debug, clap::Args)]
pub(super) struct PodOptions {
    /// The context of the kubeconfig in which pods are started [default: its current context; within
    /// a pod, that pod's service account].
    #[arg(long, env = "MOORLINE_KUBE_CONTEXT", value_name = "NAME")]
    kube_context: Option<String>,

    /// The folder of the supervisors that are sent into pods: ARCHITECTURE/moorline-supervisor
    /// [default: `supervisors` beside this program].
    #[arg(long, env = "MOORLINE_SUPERVISORS", value_name = "DIR")]
    supervisors: Option<PathBuf>,
}

impl PodOptions {
    /// Returns the settings of the driver.
    pub(super) fn config(&self) -> KubernetesConfig {
        let beside = || {
            let program = std::env::current_exe().ok()?;
            Some(program.parent()?.join("supervisors")).filter(|folder| folder.is_dir())
        };
        let given = self.supervisors.as_ref().and_then(|path| std::path::absolute(path).ok());
        KubernetesConfig {
            context: self.kube_context.clone(),
            supervisors: given.or_else(beside),
            folder: None,
        }
    }

    /// Returns the arguments that give a host process the same options.
    pub(super) fn arguments(&self) -> Vec<OsString> {
        let KubernetesConfig { context, supervisors, folder: _ } = self.config();
        let mut arguments: Vec<OsString> = Vec::new();
        if let Some(context) = context {
            arguments.extend(["--kube-context".into(), context.into()]);
        }
        if let Some(folder) = supervisors {
            arguments.extend(["--supervisors".into(), folder.into()]);
        }
        arguments
    }
}
