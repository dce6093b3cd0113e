use kube::Config;
use kube::config::Kubeconfig;

use super::Options;
use super::connect::in_cluster;

/// The namespace of the kubeconfig's context, or of the pod that this runs in, or `default`. Nothing is asked of a
/// cluster, and a kubeconfig that cannot be read says nothing: translation needs none.
pub fn namespace(options: &Options) -> String {
    if let Some(namespace) = &options.namespace {
        return namespace.clone();
    }
    if in_cluster(options) {
        return Config::incluster().map_or_else(|_| "default".into(), |config| config.default_namespace);
    }
    let kubeconfig = match &options.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let of_context = |kubeconfig: Kubeconfig| {
        let name = options.context.clone().or(kubeconfig.current_context)?;
        let context = kubeconfig.contexts.into_iter().find(|context| context.name == name)?;
        context.context?.namespace
    };
    kubeconfig.ok().and_then(of_context).unwrap_or_else(|| "default".into())
}
